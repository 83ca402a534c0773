"""Makes an export's image folders: hard links to the user's images (else copies), and caption files beside them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from advisor.errors import RunError
from advisor.files import read_bounded, write_atomically
from templates.exporting.image_folders import PlacedFolder

LIST_SUFFIX = ".made.txt"
"""Beside a folder of links: what of it is ours, so that a later export takes away that and nothing else."""
MOST_LIST_BYTES = 256 * 1024**2
"""A line for each image: no data set is that large."""


@dataclass(frozen=True)
class LinkFolder:
    """A folder that holds our `N_name` folders, and perhaps files of the user's."""

    root: Path

    @property
    def list_file(self) -> Path:
        """Where we note what is ours."""
        return self.root.with_name(self.root.name + LIST_SUFFIX)

    def ours(self) -> tuple[str, ...]:
        """What earlier exports put here: `folder/file`, one each."""
        try:
            lines = read_bounded(self.list_file, MOST_LIST_BYTES).decode("utf-8").split("\n")
        except (OSError, UnicodeDecodeError):
            return ()
        return tuple(line for line in lines if _is_inside(line))

    def strangers(self) -> tuple[str, ...]:
        """`folder/file` of what is here and not ours."""
        ours = set(self.ours())
        try:
            found = sorted(path.relative_to(self.root).as_posix() for path in self.root.glob("*/*"))
        except OSError as error:
            raise RunError(f"{self.root} cannot be read: {error.strerror or error}") from None
        return tuple(name for name in found if name not in ours)

    def taken(self) -> tuple[str, ...]:
        """`folder/stem` of the strangers."""
        return tuple(PurePosixPath(name).with_suffix("").as_posix() for name in self.strangers())

    def fill(self, folders: Iterable[PlacedFolder], caption_extension: str) -> int:
        """Replace what earlier exports put here by `folders`; the number of images that had to be copied.

        The list of what is ours is written before anything is made, so that a broken-off export is cleared by the next.

        Raises:
            RunError: the folder cannot be written to, or an image has gone.
        """
        folders = tuple(folders)
        new = tuple(_names(folders, caption_extension))
        old = self.ours()
        self._note({*old, *new})
        try:
            self._clear(old)
            copied = sum(self._add(folder, caption_extension) for folder in folders)
        except OSError as error:
            raise RunError(
                f"{error.filename2 or error.filename or self.root} cannot be made: {error.strerror or error}: "
                "free some space or choose a run folder that you may write to"
            ) from error
        self._note(set(new))
        return copied

    def _note(self, names: set[str]) -> None:
        write_atomically(self.list_file, "".join(f"{name}\n" for name in sorted(names)))

    def _clear(self, names: Iterable[str]) -> None:
        for name in names:
            (self.root / name).unlink(missing_ok=True)
        for folder in {PurePosixPath(name).parent for name in names}:
            with suppress(OSError):  # not empty: something of the user's is in it
                (self.root / folder).rmdir()

    def _add(self, folder: PlacedFolder, caption_extension: str) -> int:
        target = self.root / folder.name
        target.mkdir(parents=True, exist_ok=True)
        copied = 0
        for image in folder.images:
            copied += _link_or_copy(image.source, target / image.name)
            if image.caption is not None:
                text = image.caption + "\n"
                (target / (image.stem + caption_extension)).write_text(text, "utf-8", newline="\n")
        return copied


def _names(folders: Iterable[PlacedFolder], caption_extension: str) -> Iterable[str]:
    for folder in folders:
        for image in folder.images:
            yield f"{folder.name}/{image.name}"
            if image.caption is not None:
                yield f"{folder.name}/{image.stem}{caption_extension}"


def _link_or_copy(source: Path, target: Path) -> bool:
    """Whether it had to be a copy: another disk, or a file system without links."""
    real = os.path.realpath(source)  # a link to a link would point nowhere
    try:
        os.link(real, target)
    except (FileNotFoundError, FileExistsError):
        raise
    except OSError:
        shutil.copyfile(real, target)
        return True
    return False


def _is_inside(line: str) -> bool:
    """Whether a noted name is one folder and one file, and leads nowhere else."""
    parts = line.split("/")
    return len(parts) == 2 and all(part not in ("", ".", "..") and not set(part) & {"\\", ":"} for part in parts)

"""Makes an export's image folders: hard links to the user's images or copies, and caption files beside them."""

from __future__ import annotations

import errno
import filecmp
import os
import shutil
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from advisor.dataset.cropped_file import CroppedFile, box_in
from advisor.dataset.image_size import UnusablePicture, picture_head
from advisor.dataset.mask_files import MASK_EXTENSION, MASK_SUFFIX
from advisor.dataset.report import PictureCrop
from advisor.errors import DatasetError, RunError
from advisor.files import is_file, mend_of_writing, read_bounded
from advisor.run_folder.keep import keep_beside
from advisor.run_folder.write_over import NewFile, put, users_files
from advisor.run_folder.written import Written, WrittenFiles
from advisor.same_place import Identity, identity
from templates.exporting.image_folders import PlacedFolder
from templates.exporting.last_copies import OTHERS_PICTURES, last_copies

LIST_SUFFIX = ".made.txt"
"""Beside a folder of links: what of it is ours, so that a later export takes away that and nothing else."""
Content = Path | CroppedFile | bytes
"""Of a file: another file's, a part of a picture, or bytes."""


@dataclass(frozen=True)
class _NewFile:
    """A file that is to be made, and the picture or mask that it is, or the picture that it goes with."""

    content: Content
    source: str
    """Its path, without links."""
    may_link: bool = False
    """Nothing changes a picture in place; masks and captions are edited."""

    def noted(self, made: Written) -> Written:
        return made.made_of(self.source)


MOST_LIST_BYTES = 256 * 1024**2
"""A line for each image: no data set is that large."""


@dataclass(frozen=True)
class Filled:
    """How images came into an export's folders."""

    num_linked: int
    num_copied: int
    num_cropped: int = 0
    """Written as pictures of their own."""
    kept: tuple[Path, ...] = ()
    """Pictures that are no longer exported and whose originals are gone, where they are now."""


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
        """`folder/stem` of the strangers that are pictures; a text or cache beside one of ours goes with it."""
        names = (PurePosixPath(name) for name in self.strangers())
        return tuple(name.with_suffix("").as_posix() for name in names if name.suffix.lower() in OTHERS_PICTURES)

    def users_files(
        self, folders: Iterable[PlacedFolder], caption_extension: str, written: WrittenFiles
    ) -> tuple[Path, ...]:
        """What the user has put where `folders` go, and what earlier exports put here and the user changed since.

        Raises:
            RunError: a file cannot be read.
        """
        new = dict(_contents(folders, caption_extension))
        originals = {identity(one.content) for one in new.values() if isinstance(one.content, Path)} - {None}
        lists = users_files([self._list(())], written)
        try:
            return lists + tuple(
                path
                for name in dict.fromkeys((*self.ours(), *new))
                if os.path.lexists(path := self.root / name) and _is_users(path, new.get(name), originals, written)
            )
        except OSError as error:
            raise RunError(f"{error.filename or self.root} cannot be read: {error.strerror or error}") from None

    def fill(
        self,
        folders: Iterable[PlacedFolder],
        caption_extension: str,
        written: WrittenFiles,
        *,
        copy: bool = False,
        given_up: Iterable[Path] = (),
    ) -> Filled:
        """Replace what earlier exports put here by `folders`; whatever else lies there stays.

        What is ours is noted before anything is made, so that a broken-off export is cleared by the next.

        Args:
            copy: make copies of the images, no links.
            given_up: the user's files that are replaced as well.

        Raises:
            RunError: the folder cannot be written to, an image has gone, or a file of the user's is in the way.
        """
        new = dict(_contents(folders, caption_extension))
        old = self.ours()
        put([self._list({*old, *new})], written)
        try:
            for path in given_up:
                path.unlink(missing_ok=True)
            kept = self._clear(old, new, written)
            written.note(
                {
                    self.root / name: one.noted(Written.of(one.content, "images"))
                    for name, one in new.items()
                    if isinstance(one.content, bytes)
                }
            )
            made = {self.root / name: _made(one, self.root / name, copy=copy) for name, one in new.items()}
        except OSError as error:
            raise RunError(
                f"{error.filename2 or error.filename or self.root} cannot be made: {error.strerror or error}: "
                f"{mend_of_writing(error)}"
            ) from error
        put([self._list(new)], written)
        written.note(made, gone=[self.root / name for name in old if name not in new])
        linked = sum(1 for one in made.values() if one.modified_ns is not None)
        images = sum(1 for one in new.values() if isinstance(one.content, Path) and one.may_link)
        cropped = sum(1 for one in new.values() if isinstance(one.content, CroppedFile) and one.may_link)
        return Filled(linked, images - linked, cropped, kept)

    def _list(self, names: Iterable[str]) -> NewFile:
        text = "".join(f"{name}\n" for name in sorted(names))
        return NewFile(self.list_file, text.encode("utf-8"), "images", _is_list)

    def _clear(self, names: Collection[str], new: Mapping[str, _NewFile], written: WrittenFiles) -> tuple[Path, ...]:
        """Take files away; those that may be all that is left of a picture or caption are kept as NAME.bak."""
        there = [name for name in names if os.path.lexists(self.root / name)]
        pictures = {one.source for one in new.values() if one.may_link}
        uncaptioned = pictures - {one.source for one in new.values() if isinstance(one.content, bytes)}
        # Of all before the first is taken away, to which others may lead.
        last = frozenset(last_copies(self.root, there, written, uncaptioned))
        kept = [
            keep_beside(self.root / name)
            for name in there
            if name in last and not _is_content(self.root / name, new.get(name))
        ]
        for name in there:
            (self.root / name).unlink(missing_ok=True)
        for folder in {PurePosixPath(name).parent for name in names}:
            with suppress(OSError):  # not empty: something of the user's is in it
                (self.root / folder).rmdir()
        return tuple(kept)


def _contents(folders: Iterable[PlacedFolder], caption_extension: str) -> Iterator[tuple[str, _NewFile]]:
    """Each file by its name: an image's original or the part of it that is written, its mask, or a caption's bytes."""
    for folder in folders:
        for image in folder.images:
            beside = f"{folder.name}/{image.stem}"
            source = os.path.realpath(image.source)
            yield f"{folder.name}/{image.name}", _NewFile(_part(image.source, image.crop), source, may_link=True)
            if image.mask is not None:
                mask = _NewFile(_part(image.mask, image.crop), os.path.realpath(image.mask))
                yield f"{beside}{MASK_SUFFIX}{MASK_EXTENSION}", mask
            if image.caption is not None:
                yield f"{beside}{caption_extension}", _NewFile(f"{image.caption}\n".encode(), source)


def _part(source: Path, crop: PictureCrop | None) -> Path | CroppedFile:
    """A file, or the part of it that a crop of its picture leaves."""
    if crop is None:
        return source
    try:
        head = picture_head(source)
    except UnusablePicture as error:
        raise DatasetError(f"{source}: {error}") from error
    return CroppedFile(source, box_in(crop.box, crop.whole, (head.width_px, head.height_px)))


def _made(new: _NewFile, target: Path, *, copy: bool) -> Written:
    """Make a file where none is, whole or not at all."""
    source = new.content
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(source, Path) and new.may_link and not copy:
        try:
            os.link(os.path.realpath(source), target)  # a link to a link would point nowhere
        except (FileNotFoundError, FileExistsError):
            raise
        except OSError:  # another disk, or a file system without links
            pass
        else:
            return new.noted(Written.link(target))
    # A name of its own: that of the target may be of full length.
    half = target.with_name(f".{sha256(os.fsencode(target.name)).hexdigest()[:16]}.part")
    half.unlink(missing_ok=True)
    try:
        with half.open("xb") as file:
            _write(source, file)
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        half.replace(target)
    finally:
        half.unlink(missing_ok=True)
    return new.noted(Written.copy_of(target))


def _write(source: Content, file: BinaryIO) -> None:
    if isinstance(source, Path):
        with source.open("rb") as original:
            shutil.copyfileobj(original, file)
    else:
        file.write(source if isinstance(source, bytes) else source.png())


def _is_users(path: Path, new: _NewFile | None, originals: set[Identity | None], written: WrittenFiles) -> bool:
    """Whether a file is neither as it was made, nor a link to an image of now, nor what would be made now."""
    mode = path.lstat().st_mode
    if stat.S_ISDIR(mode):
        raise RunError(f"{path} is a folder, where an earlier export made a file: move it away")
    if not stat.S_ISREG(mode):
        return True
    if identity(path) in originals or written.is_as_written(path, "images"):
        return False
    return not _is_content(path, new)


def _is_content(path: Path, new: _NewFile | None) -> bool:
    """Whether a file holds just what would be made there."""
    if new is None:
        return False
    if isinstance(new.content, Path):
        return is_file(new.content) and filecmp.cmp(path, new.content, shallow=False)
    content = new.content if isinstance(new.content, bytes) else new.content.png()
    return path.stat().st_size == len(content) and read_bounded(path, len(content)) == content


def _is_list(content: bytes) -> bool:
    """Whether these bytes are a list of what is ours."""
    try:
        lines = content.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        return False
    return lines[-1] == "" and all(_is_inside(line) for line in lines[:-1])


def _is_inside(line: str) -> bool:
    """Whether a noted name is one folder and one file, and leads nowhere else."""
    parts = line.split("/")
    return len(parts) == 2 and all(part not in ("", ".", "..") and not set(part) & {"\\", ":"} for part in parts)

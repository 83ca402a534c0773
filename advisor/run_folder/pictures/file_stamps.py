"""Size and time of every picture and caption file of a data set, by names alone: no file is opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from advisor.dataset.folders import find_files, find_named_files
from advisor.files import modified_ns
from advisor.settings.config import NamedFolder

Stamp = tuple[int, int]
"""Bytes, and the time of the last change in nanoseconds."""


@dataclass(frozen=True, slots=True)
class FileStamps:
    """A picture and the caption file beside it."""

    picture: Stamp
    caption_path: str = ""
    """Empty: there is none."""
    caption: Stamp | None = None
    """None: there is none."""


def file_stamps(folder: Path, only: Sequence[NamedFolder] | None, caption_extension: str) -> dict[str, FileStamps]:
    """What a folder holds, by the pictures' absolute paths, as a scan of it finds them; nothing where it is not there.

    Args:
        folder: absolute.
        only, caption_extension: as for `advisor.dataset.scan.scan`.
    """
    try:
        found = find_files(folder) if only is None else find_named_files(folder, only)
    except OSError:
        return {}
    stamps = dict[str, FileStamps]()
    for place in found.folders:
        for name in place.images:
            picture = stamp_of(place.path / name)
            if picture is None:
                continue
            extension = place.caption_extension(Path(name).stem, caption_extension)
            path = (folder / place.below(name)).as_posix()
            if extension is None:
                stamps[path] = FileStamps(picture)
            else:
                beside = place.path / place.captions[Path(name).stem, extension]
                stamps[path] = FileStamps(picture, str(beside), stamp_of(beside))
    return stamps


def stamp_of(path: Path) -> Stamp | None:
    """A file's size and time; None where it cannot be looked at."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_size, modified_ns(found)

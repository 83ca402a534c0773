"""The stamp of every picture and caption file of a data set, by names alone: no file is opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from advisor.dataset.file_stamp import Stamp, stamp_of
from advisor.dataset.folders import find_files, find_named_files
from advisor.settings.config import NamedFolder


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

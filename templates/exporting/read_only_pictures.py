"""Exports that would write where the pictures lie, whatever names lead there: refused, since these are only read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from advisor.dataset.mask_files import MASK_FOLDER
from advisor.errors import RunError
from advisor.run_folder.pictures.own_folders import picture_folders
from advisor.run_folder.written import WrittenFiles
from advisor.same_place import identity, lies_in, resolved
from advisor.settings.config import DatasetConfig
from templates.exporting.planned_images import PlannedImages


def refuse_among_pictures(
    planned: Sequence[PlannedImages], dataset: DatasetConfig, run: Path, written: WrittenFiles
) -> None:
    """Refuse image folders that are, or lie in, a folder that the pictures come from, or hold what links there lead to;
    also where these pictures are those of an earlier export.

    Raises:
        RunError: one does.
    """
    read = picture_folders(dataset, run)
    placed = [image for one in planned for folder in one.folders or () for image in folder.images]
    folders = {image.source.parent for image in placed} | {image.mask.parent for image in placed if image.mask}
    sources = {resolved(image.source) for image in placed} | set(_linked(folders))
    # Where pictures are links, the folders that they lead to, though not what lies beside these.
    really = {identity(source.parent) for source in sources} - {None}
    for one in planned:
        root = one.links.root
        ours = [root / name for name in one.links.ours()]
        for place in {path.parent for path in ours if resolved(path) in sources or _is_original(path, written)}:
            raise _among(place)
        for place in dict.fromkeys((*(root / folder.name for folder in one.folders or ()), *(p.parent for p in ours))):
            if identity(place) in really or any(_is_among(place, around, run) for around in read):
                raise _among(place)


def _is_original(path: Path, written: WrittenFiles) -> bool:
    try:
        return written.is_original(path)
    except OSError:  # it is not there any more
        return False


def _is_among(place: Path, around: Path, run: Path) -> bool:
    """Whether a folder lies among the pictures, but not in a run that is kept there, whose files are none of them."""
    return lies_in(place, around) and (not lies_in(place, run) or lies_in(around, run))


def _linked(folders: Iterable[Path]) -> Iterator[Path]:
    """Where the links beside pictures lead, those of masks and captions."""
    for folder in folders:
        for place in (folder, folder / MASK_FOLDER):
            try:
                with os.scandir(place) as entries:
                    yield from (resolved(Path(entry.path)) for entry in entries if entry.is_symlink())
            except OSError:  # there is no folder of masks
                continue


def _among(folder: Path) -> RunError:
    return RunError(
        f"{folder} is where the pictures themselves lie, and an export would write there: name another with --out"
    )

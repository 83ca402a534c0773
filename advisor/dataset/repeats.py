"""How often each folder's pictures are shown in an epoch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from advisor.dataset.report import Folder
from advisor.settings.config import DatasetConfig


def repeats_by_folder(dataset: DatasetConfig) -> dict[str, int]:
    """The folders with repeats of their own."""
    return {
        PurePosixPath(folder.path.replace("\\", "/").strip("/")).as_posix(): folder.repeats
        for folder in dataset.folders
    }


def nearest_repeats(folder: PurePosixPath, repeats_of: Mapping[str, int], rest: int) -> int:
    """Those of the folder itself, else of the nearest above it that has some."""
    for path in (folder, *folder.parents):
        if (found := repeats_of.get(path.as_posix())) is not None:
            return found
    return rest


def repeats_of_folders(folders: Iterable[Folder], dataset: DatasetConfig) -> tuple[int, ...]:
    """The repeats of each of these folders."""
    own = repeats_by_folder(dataset)
    return tuple(nearest_repeats(PurePosixPath(folder.path), own, dataset.repeats) for folder in folders)

"""Where a run's pictures lie: never in folders that it writes into, where its own would be trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from advisor.dataset.folders import named_path
from advisor.errors import RunError
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.paths import FOLDERS
from advisor.same_place import is_same, lies_in, resolved
from advisor.settings.config import DatasetConfig, NamedFolder, TrainingConfig


def picture_folders(dataset: DatasetConfig, run: Path) -> tuple[Path, ...]:
    """The folders whose pictures are trained, with all that lies below them; those of the class too."""
    given = [(dataset.images, dataset.named_folders)]
    given += [(dataset.regularization_images or "", dataset.regularization_folders or None)]
    places = (run / root / named_path(folder) for root, folders in given if root for folder in _paths(folders))
    return tuple(places)


def _paths(folders: Sequence[NamedFolder] | None) -> Sequence[str]:
    return (".",) if folders is None else [folder.path for folder in folders]


def refuse_own_folders(run: RunFolder, config: TrainingConfig) -> None:
    """Refuse pictures in the run's folder itself, or in one it writes into.

    Raises:
        RunError: they do.
    """
    for pictures in picture_folders(config.dataset, run.path):
        if is_same(pictures, run.path):
            raise RunError(
                f"{run.path} is the folder of the pictures, where a run would write: give the run one of its own, e.g. "
                "beside it"
            )
        inside = next((name for name in sorted(FOLDERS) if lies_in(pictures, run.path / name)), None)
        if inside is not None:
            raise RunError(
                f"{resolved(pictures)} are pictures, and a run in {run.path} writes into its folder {inside}: name "
                "another folder for the run, e.g. one beside it"
            )

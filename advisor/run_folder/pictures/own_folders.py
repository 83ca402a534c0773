"""Folders that are a run's own are none of its pictures: what it writes there would be trained on."""

from __future__ import annotations

from advisor.errors import RunError
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.paths import FOLDERS
from advisor.same_place import is_same, lies_in
from advisor.settings.config import TrainingConfig


def refuse_own_folders(run: RunFolder, config: TrainingConfig) -> None:
    """Refuse pictures in the run's folder itself, or in one it writes into.

    Raises:
        RunError: they do.
    """
    dataset = config.dataset
    for given in filter(None, (dataset.images, dataset.regularization_images)):
        pictures = run.path / given
        if is_same(pictures, run.path):
            raise RunError(
                f"{run.path} is the folder of the pictures, where a run would write: give the run one of its own, e.g. "
                "beside it"
            )
        inside = next((name for name in sorted(FOLDERS) if lies_in(pictures, run.path / name)), None)
        if inside is not None:
            raise RunError(
                f"{pictures.resolve()} are pictures, and a run in {run.path} writes into its folder {inside}: name "
                "another folder for the run, e.g. one beside it"
            )

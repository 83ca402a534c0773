"""The pictures and caption files of a run as they lie on the disk, without the user's edits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from advisor.dataset.report import DatasetReport
from advisor.dataset.scan import Tell, scan
from advisor.errors import DatasetError
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.own_folders import refuse_own_folders
from advisor.same_place import resolved
from advisor.settings.config import NamedFolder, TrainingConfig


def run_files(run: RunFolder, config: TrainingConfig | None = None, *, tell: Tell | None = None) -> DatasetReport:
    """What the run's folder of pictures holds.

    Args:
        config: the run's, or what it becomes; None: its loracle.toml is read.
        tell: called now and then with the progress.

    Raises:
        RunError: there is no configuration to read; or the pictures lie in a folder of the run's own.
        ConfigErrors: it is wrong.
        DatasetError: there is no such folder, or it holds no usable picture.
    """
    located = run.located(run.read_config() if config is None else config)
    refuse_own_folders(run, located)
    return _outside(files_in(located.dataset.images, located.dataset.named_folders, located, tell=tell), run)


def _outside(report: DatasetReport, run: RunFolder) -> DatasetReport:
    """Without what lies in the run folder: one that is kept among the pictures holds exports, samples and grids.

    Raises:
        DatasetError: all of it does.
    """
    root, inner = resolved(Path(report.root)), resolved(run.path)
    if not inner.is_relative_to(root):
        return report
    kept = tuple(one for one in report.image_files if not (root / one.path).is_relative_to(inner))
    if not kept:
        raise DatasetError(f"{report.root} holds no pictures outside the run folder: give the folder that they are in")
    return report if len(kept) == report.num_images else report.with_images(kept)


def files_in(
    folder: str, only: Sequence[NamedFolder] | None, config: TrainingConfig, *, tell: Tell | None = None
) -> DatasetReport:
    """What one of the folders of a configuration holds: its images or its regularization images.

    Raises:
        DatasetError: there is no such folder, or it holds no usable picture.
    """
    return scan(Path(folder), only=only, caption_extension=config.dataset.caption_extension, tell=tell)

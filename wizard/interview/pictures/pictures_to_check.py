"""What `loracle check` looks at: a folder of pictures, or a run's pictures with the user's edits of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from advisor.dataset.report import DatasetReport
from advisor.dataset.scan import Tell, scan
from advisor.files import is_file
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.edits_told import told_of_edits
from advisor.run_folder.pictures.run_dataset import run_dataset
from advisor.settings.config import TrainingConfig
from advisor.settings.file_names import CONFIG_NAME
from wizard.interview.paths import given_path


@dataclass(frozen=True)
class PicturesToCheck:
    """A data set, and what is known of how it is trained."""

    report: DatasetReport
    config: TrainingConfig | None = None
    """The run's; None: it is no run."""
    edits: tuple[str, ...] = ()
    """What is said of the user's edits of the run; empty: there are none, or it is no run."""


def pictures_to_check(given: str, tell: Tell | None = None) -> PicturesToCheck:
    """The pictures of a folder, or of the run in it.

    Args:
        given: a folder of pictures, a run folder or a run's configuration file.
        tell: called now and then with the progress.

    Raises:
        DatasetError: there is no such folder, or it holds no usable picture.
        RunError: the run's edits or configuration cannot be read.
        ConfigErrors: its configuration is wrong.
    """
    path = given_path(given)
    if not ((is_file(path) and path.suffix == Path(CONFIG_NAME).suffix) or is_file(path / CONFIG_NAME)):
        return PicturesToCheck(scan(path, tell=tell))
    run = RunFolder.given(path)
    config = run.read_config()
    data = run_dataset(run, config, tell=tell)
    return PicturesToCheck(data.report, config, told_of_edits(data))

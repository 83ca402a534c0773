"""What a planned run keeps of its pictures: the list of them as they are now, and the user's edits."""

from __future__ import annotations

from pathlib import Path

from advisor.dataset.captions import CaptionReader
from advisor.dataset.report import DatasetReport
from advisor.files import is_there, write_atomically
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.edits_file import read_log
from advisor.run_folder.pictures.file_stamps import file_stamps
from advisor.run_folder.pictures.manifest import FileNotes, planned_lines, write_manifest_lines
from advisor.settings.config import TrainingConfig


def write_pictures(
    report: DatasetReport, config: TrainingConfig, run: RunFolder, *, edits_from: RunFolder | None = None
) -> None:
    """Put both into a run folder. The caller holds its lock.

    Args:
        report: what the run was planned for.
        config: its paths are absolute.
        edits_from: the run whose edits are copied, unless there are some.

    Raises:
        RunError: they cannot be read or written.
    """
    if edits_from is not None and not is_there(run.edits):
        write_atomically(run.edits, read_log(edits_from))
    dataset = config.dataset
    stamps = file_stamps(Path(report.root), dataset.named_folders, dataset.caption_extension)
    write_manifest_lines(run, planned_lines(report.read_by(CaptionReader.of(config)), FileNotes(stamps)))

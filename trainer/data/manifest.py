"""The manifest of a training: its images, each with what it is trained as."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from advisor.dataset.report import DatasetReport
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.manifest import FileNotes, excluded_lines, write_manifest_lines
from trainer.data.training_set import Item


def write_manifest(
    run: Path, items: Iterable[Item], *, report: DatasetReport | None = None, notes: FileNotes | None = None
) -> None:
    """Put the list of images into the run folder; a file there of the user's is kept beside it.

    Args:
        report: has the pictures that the user's edits leave out, which are listed last.
        notes: of their files.

    Raises:
        RunError: it cannot be written.
    """
    notes = notes or FileNotes()
    lines = [_line(item) | notes.fields(item.path.as_posix()) for item in items]
    left_out = [] if report is None else excluded_lines(report, notes)
    write_manifest_lines(RunFolder(run), [*lines, *left_out])


def _line(item: Item) -> dict[str, Any]:
    line = {
        "path": item.path.as_posix(),
        "size": item.size,
        "bucket": item.bucket,
        "repeats": item.repeats,
        "caption": item.caption,
    }
    use = {} if item.use == "training" else {"use": item.use}
    return line | use | ({} if item.box is None else {"crop": item.box})

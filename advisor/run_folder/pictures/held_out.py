"""`images/held_out.json`: which images the validation loss is measured on, so that resuming holds out the same."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import Field

from advisor.errors import RunError
from advisor.run_folder.record import Difference, Record, Text, read_record
from advisor.run_folder.written import WrittenFiles

MOST_HELD_OUT_BYTES = 256 * 1024**2
"""No honest list is larger: that of some million images."""


class HeldOut(Record):
    """The split of a run's images; each is named by the sha256 of its file."""

    seed: Difference
    """The setting `run.seed` by which it was drawn."""
    share: float = Field(ge=0, le=1)
    """The setting `validation.share`."""
    held_out: tuple[Text, ...]
    trained: tuple[Text, ...]


def read_held_out(path: Path) -> HeldOut | None:
    """The split that a run has; None where it has none, or none that can be read: then it is made anew."""
    try:
        return read_record(path, HeldOut, most_bytes=MOST_HELD_OUT_BYTES, mend="delete it")
    except (FileNotFoundError, RunError):
        return None


def write_held_out(run: Path, path: Path, split: HeldOut) -> None:
    """Keep the split at `path` in a run; one that the user changed is kept beside it.

    Raises:
        RunError: it cannot be written.
    """
    text = json.dumps(split.model_dump(), indent=1) + "\n"
    WrittenFiles(run).write(path, text.encode(), "run")

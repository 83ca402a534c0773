"""`log/demo.json`: what the demo measured on its images."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from advisor.errors import RunError
from advisor.run_folder.record import read_record, write_record

MOST_SCORES_BYTES = 1024 * 1024
"""No honest file of scores is larger."""


@dataclass(frozen=True)
class DemoScores:
    """Shares of 0..1, before and after training; `leak` in 0..255."""

    identity_before: float
    identity_after: float
    identity_real: float
    """Of images of the character that the training never saw."""
    obedience_before: float
    obedience_after: float
    leak: float | None = None
    """Mean change of a pixel in images that were drawn without the trigger; None: not measured."""


def read_demo_scores(path: Path) -> DemoScores:
    """The scores in a file; a newer version's further ones are passed over.

    Raises:
        RunError: there is no such file, or it is damaged.
    """
    mend = "delete it to have a report without scores"
    try:
        return read_record(path, DemoScores, most_bytes=MOST_SCORES_BYTES, mend=mend)
    except FileNotFoundError:
        raise RunError(f"{path} is not there: a demo that ran to its end has it") from None


def write_demo_scores(path: Path, scores: DemoScores) -> None:
    """Put the scores into a file.

    Raises:
        RunError: it cannot be written.
    """
    write_record(path, json.dumps(asdict(scores), indent=1) + "\n", DemoScores)

"""`log/demo.json`: what the demo measured on its images."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from advisor.errors import RunError
from advisor.files import read_bounded, write_atomically

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
    try:
        return TypeAdapter(DemoScores).validate_python(json.loads(read_bounded(path, MOST_SCORES_BYTES)))
    except (OSError, ValueError, RecursionError) as error:
        mend = "delete it to have a report without scores"
        raise RunError(f"{path} cannot be read ({_told(error)}): {mend}") from None


def write_demo_scores(path: Path, scores: DemoScores) -> None:
    """Put the scores into a file.

    Raises:
        RunError: it cannot be written.
    """
    write_atomically(path, json.dumps(asdict(scores), indent=1) + "\n")


def _told(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error)

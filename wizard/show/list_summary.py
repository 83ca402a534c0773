"""What came of several runs that were trained by one command: a table, and documents."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rich.table import Table
from rich.text import Text

from advisor.machine.hardware import Gpu
from advisor.shown_text import short_text, visible_line
from advisor.units import duration
from wizard.exit_codes import DEFECT, INTERRUPTED, STOPPED
from wizard.show.run_view import short_path

OutcomeKind = Literal["trained", "finished_before", "failed", "interrupted", "not_begun", "stopped_early"]
"""`finished_before`: it had all that it was planned for; `not_begun`: the list was ended before its turn;
`stopped_early`: others of a sweep were worth more."""

OUTCOMES: dict[OutcomeKind, str] = {
    "trained": "trained",
    "finished_before": "finished before",
    "failed": "failed",
    "interrupted": "interrupted",
    "not_begun": "not begun",
    "stopped_early": "stopped early",
}
WORST_FIRST = (INTERRUPTED, DEFECT, STOPPED)
"""Of several exit codes the first of these that is among them is a list's, else any that is not 0."""


@dataclass(frozen=True)
class RunOutcome:
    """What came of a run of a list."""

    run: Path
    """As it was given, absolute."""
    outcome: OutcomeKind
    exit_code: int = 0
    """What `loracle train` of it alone ends with."""
    message: str = ""
    """Why it failed or was interrupted."""
    steps: int = 0
    """Of the whole training."""
    lora: Path | None = None
    """The LoRA to use."""
    seconds: float = 0.0
    """That it took of this list's time."""
    was_ended: bool = False
    """The user ended the list while it was this run's turn."""
    result: dict[str, Any] | None = field(default=None, repr=False)
    """The document of `train --json` of it alone."""


def list_exit_code(outcomes: Sequence[RunOutcome]) -> int:
    """The exit code of a list: 0 where all runs are trained, 130 where the user ended it, else the worst of a run."""
    codes = [INTERRUPTED if one.was_ended else one.exit_code for one in outcomes if one.was_ended or one.exit_code]
    return next((code for code in WORST_FIRST if code in codes), codes[0] if codes else 0)


def summary_view(outcomes: Sequence[RunOutcome], here: Path) -> Table:
    """A row for each run: what came of it, its steps, its LoRA, and the time that it took.

    Args:
        here: the current folder; runs in it are named from there.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("run", ratio=3, overflow="fold", style="cyan")
    table.add_column("outcome", style="bold", no_wrap=True)
    table.add_column("steps", justify="right", no_wrap=True)
    table.add_column("LoRA, or why not", ratio=3, overflow="fold")
    table.add_column("time", justify="right", no_wrap=True)
    for one in outcomes:
        table.add_row(
            Text(visible_line(short_path(one.run, here))),
            OUTCOMES[one.outcome],
            f"{one.steps:,}" if one.steps else "",
            Text(visible_line(_lora(one) or short_text(one.message.partition("\n")[0]))),
            duration(one.seconds) if one.seconds else "",
        )
    return table


def _lora(one: RunOutcome) -> str:
    """The LoRA's path within its run."""
    if one.lora is None:
        return ""
    return short_path(one.lora, one.run if one.lora.is_relative_to(one.run) else one.run.parent)


def began_document(run: Path, number: int, runs: int, *, gpu: Gpu | None = None) -> dict[str, object]:
    """The line of `train A B --json` before a run.

    Args:
        gpu: the card that it was given; None: none was.
    """
    card = None if gpu is None else {"index": gpu.index, "name": gpu.name, "uuid": gpu.uuid}
    document = {"t": round(time.time(), 3), "event": "run_began", "run": str(run), "number": number, "runs": runs}
    return document | {"card": card}


def ended_document(one: RunOutcome) -> dict[str, object]:
    """The line after it."""
    return {"t": round(time.time(), 3), "event": "run_ended", **outcome_row(one), "result": one.result}


def summary_document(outcomes: Sequence[RunOutcome]) -> dict[str, object]:
    """The last line."""
    rows = [outcome_row(one) for one in outcomes]
    return {"t": round(time.time(), 3), "event": "summary", "runs": rows, "exit_code": list_exit_code(outcomes)}


def outcome_row(one: RunOutcome) -> dict[str, object]:
    """What came of a run, as the documents have it."""
    return {
        "run": str(one.run),
        "outcome": one.outcome,
        "exit_code": one.exit_code,
        "message": one.message,
        "steps": one.steps,
        "lora": None if one.lora is None else str(one.lora),
        "seconds": round(one.seconds, 3),
    }

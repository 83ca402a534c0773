"""What a run is doing, by its events and by who says to work on it. It is looked at only: no lock is taken."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from advisor.machine.processes import is_running
from advisor.run_folder.events import AnyEvent, Failed, Finished, Started
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import Holder

RunActivity = Literal["planned", "training", "finished", "interrupted", "failed", "died", "elsewhere", "unknown"]
"""`died`: its last training ended without a word; `elsewhere`: another machine says to work on it, and whether it still
does cannot be seen from here; `unknown`: something was trained, and no events tell how that ended."""

TRAINING_COMMANDS = ("loracle train", "loracle queue", "loracle demo", "the trainer")
"""Who trains, of those who hold a run; others only write into it."""


@dataclass(frozen=True)
class RunState:
    """What a run is doing."""

    activity: RunActivity
    message: str = ""
    """Why a training failed or was interrupted."""
    holder: Holder | None = None
    """Who works on the run now, whatever that does; None: nobody."""


def state_of(run: RunFolder, events: Sequence[AnyEvent]) -> RunState:
    """What this run is doing.

    Args:
        events: all of the run's.

    Raises:
        RunError: its folders cannot be read.
    """
    holders = (Holder.read(run.trainer_lock), Holder.read(run.lock))
    return run_state(events, *holders, has_trained=run.has_trained())


def still_works(holder: Holder) -> bool | None:
    """Whether the process of a lock still runs; None where it is another machine's."""
    return is_running(holder.pid, since=holder.since) if holder.host == platform.node() else None


def run_state(
    events: Sequence[AnyEvent],
    trainer: Holder | None,
    writer: Holder | None,
    *,
    has_trained: bool,
    works: Callable[[Holder], bool | None] = still_works,
) -> RunState:
    """What a run with these events is doing.

    Args:
        trainer, writer: who says to train it, and to write into it; a lock whose holder was killed still names it.
        has_trained: it holds LoRAs or a state.
        works: whether a holder still runs; None: not known.
    """
    trains = [one for one in (writer, trainer) if one is not None and (one is trainer or _is_training(one))]
    seen = [(one, works(one)) for one in trains]
    if working := next((one for one, runs in seen if runs), None):
        return RunState("training", holder=working)
    if unseen := next((one for one, runs in seen if runs is None), None):
        return RunState("elsewhere", holder=unseen)
    holder = writer if writer is not None and works(writer) is not False else None
    activity, message = _ending(events, has_trained=has_trained)
    return RunState(activity, message, holder)


def _is_training(holder: Holder) -> bool:
    return holder.what in TRAINING_COMMANDS


def _ending(events: Sequence[AnyEvent], *, has_trained: bool) -> tuple[RunActivity, str]:
    """How the last training ended, and why."""
    last = next((event for event in reversed(events) if isinstance(event, Started | Finished | Failed)), None)
    match last:
        case Finished():
            return "finished", ""
        case Failed(code="interrupted"):
            return "interrupted", last.message
        case Failed():
            return "failed", last.message
        case Started():
            return "died", ""
        case _:
            return ("unknown", "") if has_trained else ("planned", "")

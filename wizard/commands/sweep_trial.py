"""`python -P -m wizard.commands.sweep_trial JSON`: a trial of a sweep, trained on a machine of a cluster.

The last line of its output is JSON: `ended` with what came of it, or at a rung `paused` with what the epoch there is
worth.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from advisor.errors import RunError
from advisor.run_folder.events import LoraSaved
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import RunInUse, writing
from trainer.runtime.interrupts import ending_signals
from trainer.runtime.launcher import follow_launcher
from wizard.commands.train_listed import ListedOptions, outcome_of, train_listed
from wizard.interview.drawing.epoch_worth import epoch_worth
from wizard.interview.drawing.grid_loras import loras_by_epoch
from wizard.output import print_json_line, say
from wizard.processes.launch import TrainerCrashed
from wizard.processes.list_ending import ending_interrupts
from wizard.processes.trainer_job import planned_job
from wizard.show.list_summary import RunOutcome, outcome_row
from wizard.show.screen import PlainScreen

WHAT = "loracle sweep"
HELD_SECONDS = 2.0
"""So often it is looked whether the run is free: a trainer on a machine that was lost may be saving still."""
LOOK_SECONDS = 0.2
T = TypeVar("T")


@dataclass
class EpochPause:
    """Ends a training as Ctrl-C does, once an epoch's LoRA is saved."""

    run: RunFolder
    epoch: int
    was_reached: bool = False

    @property
    def is_there(self) -> bool:
        """Whether the run has that epoch already."""
        try:
            found = loras_by_epoch(self.run, self.run.read_config())
        except RunError:
            return False
        return max(found) >= self.epoch

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Within, the training is ended at the epoch."""
        over, tail = threading.Event(), self.run.new_events()

        def look() -> None:
            while not over.wait(LOOK_SECONDS):
                if any(isinstance(event, LoraSaved) and event.epoch >= self.epoch for event in tail.new()):
                    self.was_reached = True
                    os.kill(os.getpid(), signal.SIGINT)
                    return

        looking = threading.Thread(target=look, daemon=True)
        looking.start()
        try:
            yield
        finally:
            over.set()
            looking.join()


def main() -> None:
    """Train as the arguments say."""
    given: dict[str, Any] = json.loads(sys.argv[1])
    hear_signals()
    follow_launcher(lambda _: os.kill(os.getpid(), signal.SIGINT))
    run = Path(given["run"])
    cache = None if given["cache_from"] in (None, given["run"]) else Path(given["cache_from"])
    options = ListedOptions(True, None, given["skip_broken"], given["device"], cache)
    with ending_interrupts():
        found = _ended(run, options) if given["until"] is None else to_rung(run, options, given["until"])
    print_json_line(found)


def hear_signals() -> None:
    """Let Ctrl-C and the like through, which a worker of Ray's, who starts this, may ignore or hold back."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ending_signals())


def to_rung(run: Path, options: ListedOptions, epoch: int) -> dict[str, object]:
    """Train until an epoch's LoRA is saved, and look what it is worth; what came of it where it did not come so far.

    Raises:
        TrainerCrashed: its process was killed or crashed.
        LoraError: drawing failed.
    """
    pause = EpochPause(RunFolder.given(run), epoch)
    if not pause.is_there:
        with pause.watching():
            ended = _ended(run, options)
        if not pause.was_reached:
            return ended
    worth = when_free(partial(_worth, run, options, epoch))
    return {"event": "paused", "score": worth}


def _worth(run: Path, options: ListedOptions, epoch: int) -> float:
    job, _ = planned_job(run, device=options.device)
    with writing(job.run, WHAT, say) as place:
        return epoch_worth(replace(job, place=place), epoch, PlainScreen(say))


def _ended(run: Path, options: ListedOptions) -> dict[str, object]:
    train = partial(train_listed, run, options, what=WHAT, as_json=True)
    outcome: RunOutcome = when_free(lambda: outcome_of(run, train, passing=(RunInUse, TrainerCrashed)))
    return {"event": "ended", "outcome": outcome_row(outcome)}


def when_free(work: Callable[[], T]) -> T:
    """Do what needs the run once nobody else works on it."""
    waits = ""
    while True:
        try:
            return work()
        except RunInUse as held:
            if str(held) != waits:
                waits = str(held)
                say(f"Waiting: {held}")
            time.sleep(HELD_SECONDS)


if __name__ == "__main__":
    main()

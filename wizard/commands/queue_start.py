"""`loracle queue start`: trains the runs of the queue, one after another, until none waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from advisor.errors import RunError
from advisor.files import is_file
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import RunInUse
from advisor.run_folder.state_manifest import newest_position
from advisor.settings.file_names import CONFIG_NAME
from advisor.units import counted
from wizard.commands.train_listed import ListedOptions, outcome_of, train_listed
from wizard.commands.train_several import NotAllTrained, tell_summary
from wizard.output import say, show, show_if_possible
from wizard.own_command import own_command
from wizard.processes.launch import TrainerCrashed
from wizard.processes.list_ending import ending_interrupts
from wizard.processes.queue_store import QueueStore
from wizard.processes.queue_worker import (
    LOG_NAME,
    WHAT,
    StopAsked,
    WorkerRuns,
    listening_for_stop,
    only_worker,
    start_in_background,
    worker_at_work,
)
from wizard.show.list_summary import RunOutcome, list_exit_code
from wizard.show.queue_view import EntryState, QueueEntry

HELD_SECONDS = 5.0
"""So often it is looked whether a run that another process holds is free."""
MOST_CRASHES = 3
"""A trainer that was killed or crashed is started again from its last state, until so many have come no further."""


def start(*, background: bool = False) -> None:
    """Train the runs that wait, here or in a process that outlives the terminal.

    Raises:
        LoraError: another process works on the queue, or some runs failed.
        KeyboardInterrupt: Ctrl-C or `loracle queue stop`, after the work was saved.
    """
    store = QueueStore()
    if not store.open_entries():
        show(f"Nothing waits in the queue: {own_command('queue', 'add')} RUN adds a run.")
        return
    if background:
        _start_in_background(store)
        return
    worker = QueueWorker(store)
    with ending_interrupts():
        try:
            worker.work()
        finally:
            if worker.outcomes:
                tell_summary(worker.outcomes, as_json=False)
    if worker.was_ended:
        raise KeyboardInterrupt(f"The queue was ended. Go on with: {own_command('queue', 'start')}")
    if list_exit_code(worker.outcomes):
        raise NotAllTrained(worker.outcomes)


def _start_in_background(store: QueueStore) -> None:
    if (other := worker_at_work()) is not None:
        raise WorkerRuns(f"The queue is worked on already: {other}; `loracle queue stop` ends that")
    worker = start_in_background()
    log = store.path.parent / LOG_NAME
    if worker is None:
        show(f"The queue is through already; what it said is in {log}")
        return
    show(f"The queue is worked on in the background, by process {worker.pid}; what it says goes to {log}")
    show(f"{own_command('queue', 'list')} shows how it stands, {own_command('queue', 'stop')} ends it.")


@dataclass
class QueueWorker:
    """Works on the queue."""

    store: QueueStore
    train: Callable[..., RunOutcome] = train_listed
    as_json: bool = False
    """Nothing is printed on stdout."""
    outcomes: list[RunOutcome] = field(default_factory=list)
    """Of the runs whose turn has ended, in their order."""
    was_ended: bool = False
    """By the user, while a run was trained or waited for."""
    _waits_for: str = ""
    """Who holds the run whose turn it is, as was told; empty: it is not waited for."""

    def work(self) -> None:
        """Train until none waits, or the user ends it.

        Raises:
            WorkerRuns: another process works on the queue.
            RunError: the queue's database cannot be used.
        """
        try:
            goes_on = self._work_alone()
            while goes_on and self.store.open_entries():  # one came before the lock was free
                goes_on = False
                with suppress(WorkerRuns):  # who takes care of it
                    goes_on = self._work_alone()
        except KeyboardInterrupt:
            self.was_ended = True

    def _work_alone(self) -> bool:
        """Train until none waits; whether the user has not ended that."""
        with only_worker(self.store.path.parent) as known, listening_for_stop(self.store, known) as stop:
            while not self.was_ended and stop.wish is None and (entry := self.store.take()) is not None:
                self._turn(entry, stop)
            return not self.was_ended and stop.wish is None

    def _turn(self, entry: QueueEntry, stop: StopAsked) -> None:
        """Train a run, if it is still there and nobody else works on it."""
        if not is_file(config_of(entry.path)):
            message = f"{entry.path} is gone: it was moved or deleted. Add it from where it is now"
            say(f"! {message}")
            self._note(entry, RunOutcome(entry.path, "failed", RunError.exit_code, message), "gone")
            return
        self._tell_turn(entry)
        try:
            train = partial(self.train, entry.path, options_of(entry), what=WHAT, as_json=self.as_json)
            outcome = outcome_of(entry.path, train, passing=(RunInUse, TrainerCrashed))
        except RunInUse as held:
            self._wait_for(entry, held, stop)
        except TrainerCrashed as crashed:
            self._after_crash(entry, crashed)
        else:
            self._note(entry, outcome, "failed" if outcome.outcome == "failed" else "trained")

    def _tell_turn(self, entry: QueueEntry) -> None:
        if self._waits_for:  # told already
            return
        more = len(self.store.open_entries()) - 1
        now = time.strftime("%Y-%m-%d %H:%M")
        tell = say if self.as_json else show_if_possible
        tell(f"\n{now} {entry.path} ({counted(more, 'more run')} in the queue)")

    def _wait_for(self, entry: QueueEntry, held: RunInUse, stop: StopAsked) -> None:
        """Tell once who holds the run; then look at the queue anew, which may have been changed meanwhile."""
        if str(held) != self._waits_for:
            self._waits_for = str(held)
            say(f"Waiting: {held}")
        self.store.put_back(entry.number, f"waits: {held}")
        until = time.monotonic() + HELD_SECONDS
        while stop.wish is None and time.monotonic() < until:
            time.sleep(0.1)

    def _after_crash(self, entry: QueueEntry, crashed: TrainerCrashed) -> None:
        """Let it wait for its next turn, at its place; one that came no further for too often has failed."""
        reached = newest_position(RunFolder(config_of(entry.path).parent).states())
        step = 0 if reached is None else reached.step
        crashes = entry.crashes + 1 if step <= entry.crashed_at_step else 1
        say(str(crashed))
        if crashes >= MOST_CRASHES:
            self._note(entry, RunOutcome(entry.path, "failed", crashed.exit_code, str(crashed), step), "failed")
            return
        say(f"It is started again from {'its last state' if step else 'its beginning'}.")
        self.store.note_crash(entry.number, crashes, step)
        self.store.put_back(entry.number, "its trainer crashed")

    def _note(self, entry: QueueEntry, outcome: RunOutcome, state: EntryState) -> None:
        """Keep what came of it; a run that the user interrupted waits on at its place."""
        self._waits_for = ""
        self.outcomes.append(outcome)
        self.was_ended = self.was_ended or outcome.was_ended
        if outcome.outcome == "interrupted":
            self.store.put_back(entry.number, outcome.message)
            return
        self.store.end(entry.number, state, message=outcome.message, steps=outcome.steps, lora=outcome.lora)


def options_of(entry: QueueEntry) -> ListedOptions:
    """What an entry is trained with: one that was begun is gone on with."""
    chosen = entry.options
    return ListedOptions(
        True, chosen.epochs, chosen.skip_broken, chosen.device, chosen.cache_from, begun_at=entry.began_at
    )


def config_of(path: Path) -> Path:
    """The configuration of a run that is named by its folder or by that file."""
    return path if path.suffix == ".toml" and is_file(path) else path / CONFIG_NAME

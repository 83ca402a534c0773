"""`loracle queue start`: trains the runs of the queue, one after another or one per card, until none waits."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from advisor.machine.probe import probe_hardware
from wizard.commands.queue_turn import QueueTurns
from wizard.commands.train_several import NotAllTrained, tell_summary
from wizard.output import show
from wizard.own_command import own_command
from wizard.processes.list_ending import ending_interrupts
from wizard.processes.process_options import ProcessOptions
from wizard.processes.queue_store import QueueStore
from wizard.processes.queue_worker import (
    LOG_NAME,
    WorkerRuns,
    listening_for_stop,
    only_worker,
    start_in_background,
    worker_at_work,
)
from wizard.processes.side_by_side import SideBySide
from wizard.processes.slots import Slots, slots_asked_for
from wizard.show.list_summary import RunOutcome, list_exit_code

ONE_AFTER_ANOTHER = ProcessOptions()


def start(processes: ProcessOptions = ONE_AFTER_ANOTHER, *, background: bool = False) -> None:
    """Train the runs that wait, here or in a process that outlives the terminal.

    Args:
        processes: cards, each of which trains a run at the same time; or so many runs at once on the processor.

    Raises:
        LoraError: an option is wrong, another process works on the queue, or some runs failed.
        KeyboardInterrupt: Ctrl-C or `loracle queue stop`, after the work was saved.
    """
    processes.refuse_contradictions(on_processor=None)
    slots = slots_asked_for(processes, probe_hardware(Path.cwd())) if processes.is_given else None
    store = QueueStore()
    if not store.open_entries():
        show(f"Nothing waits in the queue: {own_command('queue', 'add')} RUN adds a run.")
        return
    if background:
        _start_in_background(store, processes)
        return
    worker = QueueWorker(QueueTurns(store), slots)
    with ending_interrupts():
        try:
            worker.work()
        finally:
            if worker.outcomes:
                tell_summary(worker.outcomes, as_json=False)
    if worker.was_ended:
        go_on = own_command("queue", "start", *processes.as_typed)
        raise KeyboardInterrupt(f"The queue was ended. Go on with: {go_on}")
    if list_exit_code(worker.outcomes):
        raise NotAllTrained(worker.outcomes)


def _start_in_background(store: QueueStore, processes: ProcessOptions) -> None:
    if (other := worker_at_work()) is not None:
        raise WorkerRuns(f"The queue is worked on already: {other}; `loracle queue stop` ends that")
    worker = start_in_background(*processes.as_typed)
    log = store.path.parent / LOG_NAME
    if worker is None:
        show(f"The queue is through already; what it said is in {log}")
        return
    show(f"The queue is worked on in the background, by process {worker.pid}; what it says goes to {log}")
    show(f"{own_command('queue', 'list')} shows how it stands, {own_command('queue', 'stop')} ends it.")


@dataclass
class QueueWorker:
    """Works on the queue."""

    turns: QueueTurns
    slots: Slots | None = None
    """Where runs are trained at the same time; None: one after another."""
    was_ended: bool = field(default=False, init=False)
    """By the user, while a run was trained or waited for."""

    @property
    def outcomes(self) -> list[RunOutcome]:
        """Of the runs whose turn has ended, in their order."""
        return self.turns.outcomes

    def work(self) -> None:
        """Train until none waits, or the user ends it.

        Raises:
            WorkerRuns: another process works on the queue.
            RunError: the queue's database cannot be used.
        """
        try:
            goes_on = self._work_alone()
            while goes_on and self.turns.waiting():  # one came before the lock was free
                goes_on = False
                with suppress(WorkerRuns):  # who takes care of it
                    goes_on = self._work_alone()
        except KeyboardInterrupt:
            self.was_ended = True

    def _work_alone(self) -> bool:
        """Train until none waits; whether the user has not ended that."""
        store = self.turns.store
        with only_worker(store.path.parent) as known, listening_for_stop(store, known) as stop:
            self.turns.stop = stop
            store.put_back_all()
            if self.slots is None:
                while not self.was_ended and stop.wish is None and (entry := store.take()) is not None:
                    self.was_ended = self.turns.turn(entry) or self.was_ended
            else:
                several = SideBySide(self.turns, self.slots, may_begin=lambda: stop.wish is None)
                several.work()
                self.was_ended = several.was_ended
            return not self.was_ended and stop.wish is None

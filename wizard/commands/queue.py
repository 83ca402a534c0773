"""`loracle queue`: the list of runs to train, which outlives the terminal: shown and changed, and its worker ended."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from advisor.errors import LoraError, Mistakes, RunError
from advisor.run_folder.layout import RunFolder
from advisor.units import counted
from wizard.commands.train_several import distinct_runs
from wizard.output import print_json, say, show
from wizard.own_command import own_command
from wizard.processes.before_training import finished_text
from wizard.processes.more_epochs import epochs_done, with_epochs
from wizard.processes.queue_store import OPEN_STATES, QueueStore
from wizard.processes.queue_worker import known_as, worker_at_work
from wizard.processes.run_store import RunStore
from wizard.processes.trainer_job import refuse_device
from wizard.show.queue_view import QueueEntry, QueueOptions, queue_document, queue_view, shown_state

STOP_SECONDS = 60.0
"""So long `queue stop` waits for a worker to save and end."""


def add(runs: Sequence[Path], options: QueueOptions) -> None:
    """Add runs behind those that wait. All that is wrong is told, and then none is added.

    Raises:
        LoraError: a run or an option is wrong, or a run has all its epochs or waits already.
    """
    store, mistakes = QueueStore(), Mistakes()
    mistakes.attempt(lambda: refuse_device(options.device))
    found = [mistakes.attempt(partial(RunFolder.given, run)) for run in runs]
    distinct = mistakes.attempt(lambda: distinct_runs(one for one in found if one is not None)) or []
    waiting = store.open_entries()
    for run in distinct:
        mistakes.attempt(partial(_refuse, run, options, waiting))
    mistakes.refuse()
    for run in distinct:
        store.add(run.as_given, options)
        RunStore().remember(run.path)
    _tell_added(len(distinct), store)


def _refuse(run: RunFolder, options: QueueOptions, waiting: Iterable[QueueEntry]) -> None:
    config = run.read_config()
    if any(entry.is_of(run.path) for entry in waiting):
        raise RunError(f"{run.path} is in the queue already: `loracle queue move` changes its place")
    if options.epochs is None:
        if told := finished_text(run, config):
            raise RunError(f"{run.path}: {told}")
        return
    with_epochs(run, config, options.epochs)
    if epochs_done(run) >= options.epochs:
        raise RunError(f"{run.path} has done {epochs_done(run)} epochs already: give more in all")


def _tell_added(number: int, store: QueueStore) -> None:
    waiting = len(store.open_entries())
    show(f"Added {counted(number, 'run')}; {waiting} {'is' if waiting == 1 else 'are'} to be trained.")
    if (worker := worker_at_work()) is not None:
        show(f"The queue is worked on, by process {worker.pid}.")
    else:
        show(f"{own_command('queue', 'start')} trains them here, with --background also after this terminal is closed.")


def show_list(*, as_json: bool = False) -> None:
    """Show the queue: what has ended, what is trained, and what waits, in its order."""
    entries, worker = QueueStore().entries(), worker_at_work()
    if as_json:
        print_json(queue_document(entries, worker))
        return
    if not entries:
        show(f"The queue is empty: {own_command('queue', 'add')} RUN adds a run.")
        return
    show(queue_view(entries, worker=worker, here=Path.cwd(), now=time.time()))
    if worker is not None:
        show(f"Worked on by process {worker.pid} on {worker.host}.")
    elif any(entry.state in OPEN_STATES for entry in entries):
        show(f"Nobody works on it: {own_command('queue', 'start')}")


def remove(named: Sequence[str], *, ended: bool = False) -> None:
    """Take entries out of the queue; the runs stay as they are.

    Args:
        named: their runs, or their numbers.
        ended: take out all that have ended, too.

    Raises:
        LoraError: one is not there, or is being trained.
    """
    store = QueueStore()
    entries, worker = store.entries(), worker_at_work()
    if not named and not ended:
        raise LoraError("Which? Name runs, or their numbers in the list, or give --ended for those that have ended")
    mistakes = Mistakes()
    chosen = [found for name in named if (found := mistakes.attempt(partial(named_entry, name, entries))) is not None]
    for entry in chosen:
        if shown_state(entry, worker) == "training":
            mistakes.add(RunError(f"{entry.path} is being trained: `loracle queue stop` ends that first"))
    mistakes.refuse()
    chosen += [entry for entry in entries if ended and entry.ended_at is not None]
    numbers = {entry.number for entry in chosen}
    store.remove(sorted(numbers))
    show(f"Taken out: {counted(len(numbers), 'run')}. Their folders stay as they are.")


def move(name: str, place: str) -> None:
    """Give an entry another place among those that wait.

    Args:
        name: its run, or its number.
        place: `first`, `last`, or which of those that wait it is to be, from 1.

    Raises:
        LoraError: there is no such entry or place, or it does not wait.
    """
    store = QueueStore()
    entries, worker = store.open_entries(), worker_at_work()
    entry = named_entry(name, entries)
    if shown_state(entry, worker) == "training":
        raise RunError(f"{entry.path} is being trained: what has begun is not moved")
    at_hand = [one.number for one in entries if shown_state(one, worker) == "training"]
    others = [one.number for one in entries if one.number not in (*at_hand, entry.number)]
    index = _index(place, len(others))
    store.arrange([*at_hand, *others[:index], entry.number, *others[index:]])
    show_list()


def _index(place: str, most: int) -> int:
    """Before how many others it comes to stand."""
    if place in ("first", "last"):
        return 0 if place == "first" else most
    if not place.isdecimal() or int(place) < 1:
        raise LoraError(f"{place!r} is no place: give first, last, or a number from 1")
    return min(int(place) - 1, most)


def named_entry(name: str, entries: Sequence[QueueEntry]) -> QueueEntry:
    """The entry of the run at this path, which may be gone, or with this number.

    Raises:
        RunError: there is none.
    """
    path = Path(os.path.abspath(name))  # noqa: PTH100  (without following links)
    found = next((entry for entry in entries if entry.path == path or entry.is_of(path)), None)
    if found is None and name.isdecimal():
        found = next((entry for entry in entries if entry.number == int(name)), None)
    if found is None:
        raise RunError(f"{name} is not in the queue: `loracle queue` shows what is, each with its number")
    return found


def stop(*, after_run: bool = False) -> None:
    """Ask the worker to end: now, with what is at hand saved, or once that is trained.

    Raises:
        LoraError: the worker is on another machine, or the database cannot be written.
    """
    store, worker = QueueStore(), worker_at_work()
    if worker is None:
        show("Nobody works on the queue.")
        return
    store.ask_to_stop(known_as(worker), "after_run" if after_run else "now")
    at_hand = sum(1 for entry in store.entries() if entry.state == "training")
    runs = "runs" if at_hand > 1 else "run"
    if after_run:
        show(f"The queue ends after the {runs} at hand.")
        return
    say(f"The {runs} at hand {'are' if at_hand > 1 else 'is'} saved ...")
    until = time.monotonic() + STOP_SECONDS
    while time.monotonic() < until:
        if worker_at_work() != worker:
            show(f"The queue was ended. {own_command('queue', 'start')} goes on with it.")
            return
        time.sleep(0.1)
    show("It is still being saved; the queue ends then.")

"""The turn of a run in the queue: it is trained, waited for, tried again, or noted as failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from advisor.errors import HardwareError, LoraError, RunError
from advisor.files import is_file
from advisor.machine.hardware import Hardware
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import RunInUse
from advisor.run_folder.state_manifest import newest_position
from advisor.settings.file_names import CONFIG_NAME
from advisor.units import counted
from wizard.commands.train_listed import ListedOptions, outcome_of, train_listed
from wizard.output import named_output, say, show_if_possible
from wizard.processes.interrupt_count import InterruptCount
from wizard.processes.launch import TrainerCrashed
from wizard.processes.queue_store import QueueStore
from wizard.processes.queue_worker import WHAT, StopAsked
from wizard.processes.run_status import has_made_steps
from wizard.processes.slots import Demand, Slot, demand_of
from wizard.show.list_summary import RunOutcome
from wizard.show.queue_view import EntryState, QueueEntry
from wizard.show.run_view import short_path

HELD_SECONDS = 5.0
"""So often it is looked whether a run that another process holds is free."""
MOST_CRASHES = 3
"""A trainer that was killed or crashed is started again from its last state, until so many have come no further."""


@dataclass
class QueueTurns:
    """Trains the queue's entries, one at a time or several, each by a thread of its own."""

    store: QueueStore
    train: Callable[..., RunOutcome] = train_listed
    as_json: bool = False
    """Nothing is printed on stdout."""
    stop: StopAsked = field(default_factory=StopAsked)
    """What the user asks of the worker."""
    outcomes: list[RunOutcome] = field(default_factory=list)
    """Of the runs whose turn has ended, in their order."""
    _waits_for: dict[int, str] = field(default_factory=dict)
    """Who holds a run whose turn it is, as was told, by the entry's number."""
    _refused: set[int] = field(default_factory=set)
    """Numbers of entries that none of the worker's cards can train; they wait on."""

    # --- What waits, and where it can be trained

    def waiting(self) -> Sequence[QueueEntry]:
        """The open entries, in their order, without those that no card here can train."""
        return [entry for entry in self.store.open_entries() if entry.number not in self._refused]

    def key(self, one: QueueEntry) -> Hashable:
        """Its number."""
        return one.number

    def name(self, one: QueueEntry) -> str:
        """The run's path, from here."""
        return short_path(one.path, Path.cwd())

    def demand(self, one: QueueEntry, hardware: Hardware) -> Demand:
        """Where it can be trained; one that cannot be read has its turn, in which that is told."""
        try:
            return demand_of(RunFolder.given(one.path), one.options.device, hardware)
        except LoraError:
            return Demand(None)

    def has_loaded(self, one: QueueEntry, since: float) -> bool:
        """Whether it makes steps."""
        return has_made_steps(RunFolder(config_of(one.path).parent), since)

    def is_ready(self, one: QueueEntry, at_work: Sequence[QueueEntry]) -> bool:
        """Whether the run whose encoded pictures it uses is not about to encode them."""
        source = one.options.cache_from
        if source is None or not any(other.is_of(source) for other in at_work):
            return True
        return has_made_steps(RunFolder(source), since=0.0)

    def refuse(self, one: QueueEntry, why: str) -> None:
        """Tell that none of the cards can train it; it waits for a worker that has another."""
        self._refused.add(one.number)
        self.store.put_back(one.number, why)
        with named_output(self.name(one)):
            say(f"! It waits on: {why}")
        self.outcomes.append(RunOutcome(one.path, "not_begun", HardwareError.exit_code, why))

    def begin(self, one: QueueEntry, slot: Slot) -> QueueEntry | None:
        """Note that its turn has come; None: it was taken out, or moved behind others, meanwhile."""
        return self.store.begin(one.number, slot.name)

    # --- Its turn

    def turn(self, one: QueueEntry, slot: Slot | None = None, interrupts: InterruptCount | None = None) -> bool:
        """Train a run, if it is still there and nobody else works on it; whether the user ended the queue.

        Args:
            slot: where; None: it alone is trained, where it was planned.
            interrupts: count the requests to end it; None: they are this process's signals.

        Raises:
            RunError: the queue's database cannot be used.
        """
        if not is_file(config_of(one.path)):
            message = f"{one.path} is gone: it was moved or deleted. Add it from where it is now"
            say(f"! {message}")
            return self._note(one, RunOutcome(one.path, "failed", RunError.exit_code, message), "gone")
        self._tell_turn(one, slot)
        try:
            options = replace(options_of(one), slot=slot, interrupts=interrupts)
            train = partial(self.train, one.path, options, what=WHAT, as_json=self.as_json)
            outcome = outcome_of(one.path, train, passing=(RunInUse, TrainerCrashed))
        except RunInUse as held:
            return self._wait_for(one, held, interrupts)
        except TrainerCrashed as crashed:
            return self._after_crash(one, crashed)
        return self._note(one, outcome, "failed" if outcome.outcome == "failed" else "trained")

    def _tell_turn(self, entry: QueueEntry, slot: Slot | None) -> None:
        if entry.number in self._waits_for:  # told already
            return
        others = sum(1 for one in self.store.open_entries() if one.state == "waiting" and one.number != entry.number)
        now = time.strftime("%Y-%m-%d %H:%M")
        tell = say if self.as_json else show_if_possible
        gap, where = ("\n", "") if slot is None else ("", f", on {slot.name}" if slot.name else "")
        tell(f"{gap}{now} {entry.path}{where} ({counted(others, 'more run')} in the queue)")

    def _wait_for(self, entry: QueueEntry, held: RunInUse, interrupts: InterruptCount | None) -> bool:
        """Tell once who holds the run; then look at the queue anew, which may have been changed meanwhile."""
        if str(held) != self._waits_for.get(entry.number):
            self._waits_for[entry.number] = str(held)
            say(f"Waiting: {held}")
        self.store.put_back(entry.number, f"waits: {held}")
        until = time.monotonic() + HELD_SECONDS
        while self.stop.wish is None and time.monotonic() < until and not (interrupts and interrupts.received):
            time.sleep(0.1)
        return False

    def _after_crash(self, entry: QueueEntry, crashed: TrainerCrashed) -> bool:
        """Let it wait for its next turn, at its place; one that came no further for too often has failed."""
        reached = newest_position(RunFolder(config_of(entry.path).parent).states())
        step = 0 if reached is None else reached.step
        crashes = entry.crashes + 1 if step <= entry.crashed_at_step else 1
        say(str(crashed))
        if crashes >= MOST_CRASHES:
            failed = RunOutcome(entry.path, "failed", crashed.exit_code, str(crashed), step)
            return self._note(entry, failed, "failed")
        say(f"It is started again from {'its last state' if step else 'its beginning'}.")
        self.store.note_crash(entry.number, crashes, step)
        self.store.put_back(entry.number, "its trainer crashed")
        return False

    def _note(self, entry: QueueEntry, outcome: RunOutcome, state: EntryState) -> bool:
        """Keep what came of it; a run that the user interrupted waits on at its place."""
        self._waits_for.pop(entry.number, None)
        self.outcomes.append(outcome)
        if outcome.outcome == "interrupted":
            self.store.put_back(entry.number, outcome.message)
        else:
            self.store.end(entry.number, state, message=outcome.message, steps=outcome.steps, lora=outcome.lora)
        return outcome.was_ended


def options_of(entry: QueueEntry) -> ListedOptions:
    """What an entry is trained with: one that was begun is gone on with."""
    chosen = entry.options
    return ListedOptions(
        True, chosen.epochs, chosen.skip_broken, chosen.device, chosen.cache_from, begun_at=entry.began_at
    )


def config_of(path: Path) -> Path:
    """The configuration of a run that is named by its folder or by that file."""
    return path if path.suffix == ".toml" and is_file(path) else path / CONFIG_NAME

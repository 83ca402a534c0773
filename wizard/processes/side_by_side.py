"""Runs of a list that are trained at the same time: each has a slot and a thread that follows its trainer.

One thread gives the slots out, hears the requests to end, and passes them on; the others train, and decide nothing.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from advisor.errors import LoraError
from advisor.machine.hardware import Hardware
from advisor.machine.probe import probe_hardware
from advisor.units import gib
from wizard.output import named_output, say
from wizard.processes.interrupt_count import InterruptCount
from wizard.processes.slots import Demand, Slot, Slots, tight_text

LOOK_SECONDS = 0.5
"""So often it is looked what waits, and whether the user has asked to end; the end of a run is heard at once."""
SETTLE_SECONDS = 5.0
"""What is still taken of a card's memory so long after a run has ended, or the list was begun, is another program's."""

T = TypeVar("T")


class Turns(Protocol[T]):
    """A list of runs, as it is worked on by several at once; all but `turn` is called by one thread."""

    def waiting(self) -> Sequence[T]:
        """What is not trained yet, in its order; those that are trained now may be among it."""

    def key(self, one: T) -> Hashable:
        """By which an entry is known while it is trained."""

    def name(self, one: T) -> str:
        """What its lines begin with."""

    def demand(self, one: T, hardware: Hardware) -> Demand:
        """Where it can be trained.

        Raises:
            LoraError: that cannot be read.
        """

    def has_loaded(self, one: T, since: float) -> bool:
        """Whether a run that was begun then, in unix seconds, has all in memory that it needs."""

    def is_ready(self, one: T, at_work: Sequence[T]) -> bool:
        """Whether it need not wait for one of those that are trained now."""

    def refuse(self, one: T, why: str) -> None:
        """Note that it cannot be trained: by none of the cards, or not at all."""

    def begin(self, one: T, slot: Slot) -> T | None:
        """Note that its turn has come; None: it waits no more."""

    def turn(self, one: T, slot: Slot, interrupts: InterruptCount) -> bool:
        """Train it; whether the user ended the list. Called by a thread of its own."""


@dataclass
class _AtWork(Generic[T]):
    one: T
    slot: Slot
    ram_bytes: int
    """That it needs of the machine's memory and may not have taken yet."""
    interrupts: InterruptCount
    thread: threading.Thread
    began_at: float = field(default_factory=time.time)
    """Unix seconds."""


@dataclass
class SideBySide(Generic[T]):
    """Trains a list of runs, several at once."""

    turns: Turns[T]
    slots: Slots
    may_begin: Callable[[], bool] = lambda: True
    """Whether another run may be begun."""
    look: Callable[[Path], Hardware] = probe_hardware
    was_ended: bool = False
    """By the user."""
    _signals: InterruptCount = field(default_factory=InterruptCount)
    _at_work: dict[Hashable, _AtWork[T]] = field(default_factory=dict)
    _over: queue.Queue[tuple[Hashable, bool | BaseException]] = field(default_factory=queue.Queue)
    """No SimpleQueue, which waits for ever where a signal comes at the end of its timeout."""
    _passed_on: int = 0
    _failure: BaseException | None = None
    _demands: dict[Hashable, Demand] = field(default_factory=dict)
    _waits_for_ram: set[Hashable] = field(default_factory=set)
    """Those of which that was told."""
    _freed_at: float = field(default_factory=time.monotonic)
    """When the last run has ended; seconds of the monotonic clock."""

    def work(self) -> None:
        """Train until none waits, or the user ends it; each run at hand is saved then.

        Raises:
            BaseException: what no turn may raise, and what the list itself raises; the other runs are ended before.
        """
        with self._signals.listening():
            try:
                while self._begin_what_can() or self._at_work:
                    self._wait()
            except BaseException as error:  # of the list: a database that cannot be written
                self._failure = self._failure or error
            while self._at_work:
                self._wait()
        self.was_ended = self.was_ended or bool(self._signals.received)
        if self._failure is not None:
            raise self._failure

    @property
    def _is_ending(self) -> bool:
        return self.was_ended or self._signals.received > 0 or self._failure is not None

    def _wait(self) -> None:
        """Wait for the end of a run for a while; pass on what was asked for meanwhile."""
        try:
            key, found = self._over.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            pass
        else:
            done = self._at_work.pop(key)
            done.thread.join()
            self._freed_at = time.monotonic()
            if isinstance(found, BaseException):
                self._failure = self._failure or found
            self.was_ended = self.was_ended or found is True
        wanted = max(self._signals.received, int(self._is_ending))
        for _ in range(wanted - self._passed_on):
            for one in self._at_work.values():
                one.interrupts.ask()
        self._passed_on = max(wanted, self._passed_on)

    def _begin_what_can(self) -> bool:
        """Begin each run that has a slot now; whether any still waits that may be begun."""
        if self._is_ending or not self.may_begin():
            return False
        waiting = [one for one in self.turns.waiting() if self.turns.key(one) not in self._at_work]
        taken = [other.slot for other in self._at_work.values()]
        found = [(one, self._demands.get(self.turns.key(one))) for one in waiting]
        hopeful = [one for one, demand in found if demand is None or self.slots.is_any_free(demand, taken)]
        if not hopeful:  # the driver is not asked in vain
            return bool(waiting)
        hardware = self.look(Path.cwd())
        left = [one for one in hopeful if self._begin(one, hardware)]
        return bool(left) or len(hopeful) < len(waiting)

    def _begin(self, one: T, hardware: Hardware) -> bool:
        """Begin a run if it has a slot; whether it waits."""
        demand, key = self._demand(one, hardware), self.turns.key(one)
        if demand is None:
            return False
        is_settled = time.monotonic() - self._freed_at >= SETTLE_SECONDS
        why = self.slots.why_nowhere(demand)
        if not why and is_settled and not self._at_work and not self.slots.is_there(demand, hardware):
            why = "the card that could train it is not there any more (`loracle doctor`)"
        if why:
            self.turns.refuse(one, why)
            del self._demands[key]
            return False
        taken = [other.slot for other in self._at_work.values()]
        slot = self.slots.slot_for(demand, taken, hardware, is_settled=is_settled)
        if slot is None or not self.turns.is_ready(one, [other.one for other in self._at_work.values()]):
            return True
        if not self._has_ram(one, demand, hardware):
            return True
        del self._demands[key]
        if (begun := self.turns.begin(one, slot)) is None:
            return False
        name = self.turns.name(begun)
        with named_output(name):
            if tight := tight_text(demand, slot):
                say(f"! {tight}")
        interrupts = InterruptCount()
        thread = threading.Thread(target=self._turn, args=(key, begun, slot, interrupts), name=name)
        thread.start()  # which raises where the system gives none
        self._at_work[key] = _AtWork(begun, slot, demand.ram_bytes, interrupts, thread)
        return False

    def _has_ram(self, one: T, demand: Demand, hardware: Hardware) -> bool:
        """Whether the machine's memory suffices beside what those will take that load still; one alone may try."""
        if not self._at_work or not hardware.ram_bytes:
            return True
        for other in self._at_work.values():
            if other.ram_bytes and self.turns.has_loaded(other.one, other.began_at):
                other.ram_bytes = 0
        free = hardware.ram_free_bytes - sum(other.ram_bytes for other in self._at_work.values())
        if demand.ram_bytes <= free:
            return True
        key = self.turns.key(one)
        if key not in self._waits_for_ram:
            self._waits_for_ram.add(key)
            with named_output(self.turns.name(one)):
                say(f"Waits for memory (RAM): it needs about {gib(demand.ram_bytes)}, and {gib(max(0, free))} are left")
        return False

    def _demand(self, one: T, hardware: Hardware) -> Demand | None:
        """Looked for once while it waits; which cards it is not given to is told then. None: it was refused."""
        key = self.turns.key(one)
        if key in self._demands:
            return self._demands[key]
        try:
            demand = self._demands[key] = self.turns.demand(one, hardware)
        except LoraError as error:
            self.turns.refuse(one, str(error))
            return None
        unfit = self.slots.unfit(demand)
        if unfit and not self.slots.why_nowhere(demand):
            with named_output(self.turns.name(one)):
                say(f"! It is not given {'; nor '.join(unfit)}")
        return demand

    def _turn(self, key: Hashable, one: T, slot: Slot, interrupts: InterruptCount) -> None:
        found: bool | BaseException
        try:
            with named_output(self.turns.name(one)):
                found = self.turns.turn(one, slot, interrupts)
        except BaseException as error:  # is raised by the thread that waits
            found = error
        self._over.put((key, found))

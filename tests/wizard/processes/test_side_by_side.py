"""Runs at the same time, each by a thread: who begins when, and how all of them end."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from advisor.errors import RunError
from advisor.machine.hardware import Hardware
from advisor.planning.card_of_run import CardNeeds
from advisor.units import GIB
from tests.support.factories import make_gpu, make_hardware
from tests.support.killed import wait_for
from wizard.output import say
from wizard.processes import side_by_side
from wizard.processes.interrupt_count import InterruptCount
from wizard.processes.side_by_side import SideBySide
from wizard.processes.slots import Demand, Slot, Slots

SMALL = make_gpu(8.0, uuid="GPU-0", index=0, name="NVIDIA GeForce RTX 3070")
LARGE = make_gpu(24.0, uuid="GPU-1", index=1, name="NVIDIA GeForce RTX 3090")
HERE = make_hardware(gpus=(SMALL, LARGE))
ALL = Slots((SMALL, LARGE))
LITTLE, MUCH = CardNeeds("bfloat16", needed_bytes=6 * GIB), CardNeeds("bfloat16", needed_bytes=20 * GIB)
Training = Callable[[str, InterruptCount], bool]


def at_once(one: str, interrupts: InterruptCount) -> bool:
    return False


def until_asked(one: str, interrupts: InterruptCount) -> bool:
    wait_for(lambda: interrupts.received, "the request to end", 20)
    return True


@dataclass
class FakeTurns:
    """Runs by their names; what each needs, and what its training does."""

    needs: dict[str, CardNeeds | None]
    training: Training = at_once
    begun: list[tuple[str, str]] = field(default_factory=list)
    """With the slot's name."""
    ended: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    ready: Callable[[str, Sequence[str]], bool] = lambda one, at_work: True
    gone: tuple[str, ...] = ()
    ram_bytes: int = 0
    loaded: set[str] = field(default_factory=set)
    _now: set[str] = field(default_factory=set)
    most_at_once: int = 0

    def waiting(self) -> Sequence[str]:
        return [one for one in self.needs if one not in (*self.ended, *self.refused, *self.gone)]

    def key(self, one: str) -> Hashable:
        return one

    def name(self, one: str) -> str:
        return one

    def demand(self, one: str, hardware: Hardware) -> Demand:  # noqa: ARG002
        return Demand(self.needs[one], self.ram_bytes)

    def has_loaded(self, one: str, since: float) -> bool:
        assert 0 <= time.time() - since < 60
        return one in self.loaded

    def is_ready(self, one: str, at_work: Sequence[str]) -> bool:
        return self.ready(one, at_work)

    def refuse(self, one: str, why: str) -> None:
        self.refused[one] = why

    def begin(self, one: str, slot: Slot) -> str | None:
        self.begun.append((one, slot.name))
        return one

    def turn(self, one: str, slot: Slot, interrupts: InterruptCount) -> bool:  # noqa: ARG002
        self._now.add(one)
        self.most_at_once = max(self.most_at_once, len(self._now))
        try:
            return self.training(one, interrupts)
        finally:
            self._now.discard(one)
            self.ended.append(one)


def worked(turns: FakeTurns, slots: Slots = ALL, hardware: Hardware = HERE) -> SideBySide[str]:
    several = SideBySide[str](turns, slots, look=lambda _: hardware)
    several.work()
    return several


def test_each_card_trains_one_of_them_at_a_time_until_none_waits() -> None:
    def trains(one: str, interrupts: InterruptCount) -> bool:
        time.sleep(0.02)
        return False

    turns = FakeTurns(dict.fromkeys("abcdef", LITTLE), trains)
    several = worked(turns)

    assert sorted(turns.ended) == list("abcdef")
    assert [one for one, _ in turns.begun] == list("abcdef")
    assert turns.begun[:2] == [("a", "NVIDIA GeForce RTX 3070 (card 0)"), ("b", "NVIDIA GeForce RTX 3090 (card 1)")]
    assert turns.most_at_once == 2
    assert not several.was_ended


def test_one_that_only_a_busy_card_can_train_is_passed_over_until_that_is_free() -> None:
    others = threading.Event()

    def trains(one: str, interrupts: InterruptCount) -> bool:
        if one == "large":
            assert others.wait(20)
        if one == "small":
            others.set()
        return False

    turns = FakeTurns({"large": MUCH, "as large": MUCH, "small": LITTLE}, trains)
    worked(turns)

    assert [one for one, _ in turns.begun] == ["large", "small", "as large"]
    assert {place for one, place in turns.begun if "large" in one} == {"NVIDIA GeForce RTX 3090 (card 1)"}


def test_one_that_no_card_can_train_is_refused_and_one_that_some_cannot_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    turns = FakeTurns({"a": replace(MUCH, needed_bytes=99 * GIB), "b": MUCH})
    worked(turns)

    assert list(turns.refused) == ["a"]
    assert "no card can train it" in turns.refused["a"]
    assert turns.ended == ["b"]
    told = capsys.readouterr().err
    assert told.startswith("[b] ! It is not given NVIDIA GeForce RTX 3070 (card 0): it has 8.0 GiB")
    assert told.count("not given") == 1


def test_one_that_was_taken_out_meanwhile_is_not_begun() -> None:
    class Removed(FakeTurns):
        def begin(self, one: str, slot: Slot) -> str | None:
            if one == "a":
                self.gone = ("a",)
                return None
            return super().begin(one, slot)

    turns = Removed(dict.fromkeys("ab", LITTLE))
    worked(turns)

    assert turns.ended == ["b"]


def test_one_that_is_not_ready_waits_and_those_behind_it_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_by_side, "LOOK_SECONDS", 0.01)
    last = threading.Event()

    def trains(one: str, interrupts: InterruptCount) -> bool:
        if one == "first":
            assert last.wait(20)
        if one == "last":
            last.set()
        return False

    turns = FakeTurns(dict.fromkeys(("first", "uses it", "last"), None), trains)
    turns.ready = lambda one, at_work: one != "uses it" or "first" not in at_work
    worked(turns, Slots(on_processor=2))

    assert [one for one, _ in turns.begun] == ["first", "last", "uses it"]


def test_what_another_program_takes_of_a_card_is_waited_for_a_while_and_then_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(side_by_side, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(side_by_side, "SETTLE_SECONDS", 0.2)
    full = make_hardware(gpus=(replace(SMALL, free_bytes=GIB), replace(LARGE, free_bytes=2 * GIB)))
    turns = FakeTurns({"a": LITTLE})
    began = time.monotonic()
    worked(turns, hardware=full)

    assert time.monotonic() - began >= 0.2
    assert turns.begun == [("a", "NVIDIA GeForce RTX 3090 (card 1)")]
    assert "[a] ! only 2.0 GiB of NVIDIA GeForce RTX 3090 (card 1) are free" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_ctrl_c_asks_each_of_them_to_end_and_begins_no_other() -> None:
    def trains(one: str, interrupts: InterruptCount) -> bool:
        if one == "b":
            os.kill(os.getpid(), signal.SIGINT)
        return until_asked(one, interrupts)

    turns = FakeTurns(dict.fromkeys("abc", LITTLE), trains)
    before = signal.getsignal(signal.SIGINT)
    several = worked(turns)

    assert several.was_ended
    assert sorted(turns.ended) == ["a", "b"]
    assert signal.getsignal(signal.SIGINT) == before


class SlowCount(InterruptCount):
    """Takes longer to count a request than it is waited for the end of a run."""

    def ask(self) -> None:
        time.sleep(0.3)
        super().ask()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_a_request_that_comes_as_the_waiting_ends_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """SimpleQueue would wait for ever then: it takes the time that is left, which is below zero, for none at all."""
    monkeypatch.setattr(side_by_side, "LOOK_SECONDS", 0.2)

    def trains(one: str, interrupts: InterruptCount) -> bool:
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGTERM)
        return until_asked(one, interrupts)

    turns = FakeTurns({"a": LITTLE}, trains)
    several = SideBySide[str](turns, ALL, look=lambda _: HERE, _signals=SlowCount())
    began = time.monotonic()
    several.work()

    assert several.was_ended
    assert time.monotonic() - began < 10


def test_where_one_of_them_is_ended_by_the_user_the_others_are_asked_to_end() -> None:
    def trains(one: str, interrupts: InterruptCount) -> bool:
        return one == "a" or until_asked(one, interrupts)

    turns = FakeTurns(dict.fromkeys("abc", LITTLE), trains)

    assert worked(turns).was_ended
    assert sorted(turns.ended) == ["a", "b"]


def test_what_goes_wrong_with_the_list_ends_the_others_and_is_raised() -> None:
    def trains(one: str, interrupts: InterruptCount) -> bool:
        if one == "a":
            raise RunError("the database is gone")
        return until_asked(one, interrupts)

    turns = FakeTurns(dict.fromkeys("abc", LITTLE), trains)
    with pytest.raises(RunError, match="the database is gone"):
        worked(turns)
    assert sorted(turns.ended) == ["a", "b"]


def test_where_the_system_gives_no_further_thread_the_others_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    started = list[str]()
    start = threading.Thread.start

    def starts(thread: threading.Thread) -> None:
        if thread.name == "b":
            raise RuntimeError("can't start new thread")
        started.append(thread.name)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", starts)
    turns = FakeTurns(dict.fromkeys("abc", LITTLE), until_asked)
    with pytest.raises(RuntimeError, match="new thread"):
        worked(turns)
    assert (started, turns.ended) == (["a"], ["a"])


def test_none_is_begun_once_none_may_be() -> None:
    turns = FakeTurns(dict.fromkeys("abc", None))
    SideBySide[str](turns, Slots(), may_begin=lambda: not turns.begun, look=lambda _: HERE).work()

    assert turns.ended == ["a"]


def test_beside_one_that_loads_still_another_is_begun_only_if_memory_suffices_for_both(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(side_by_side, "LOOK_SECONDS", 0.01)
    seen = list[int]()

    def trains(one: str, interrupts: InterruptCount) -> bool:
        if one == "a":
            time.sleep(0.1)
            seen.append(len(turns.begun))
            turns.loaded.add("a")
            wait_for(lambda: len(turns.begun) == 2, "the other", 20)
        return False

    turns = FakeTurns(dict.fromkeys("ab", LITTLE), trains, ram_bytes=9 * GIB)
    worked(turns, hardware=replace(HERE, ram_bytes=32 * GIB, ram_free_bytes=16 * GIB))

    assert seen == [1]
    assert turns.ended.count("b") == 1
    assert (
        capsys.readouterr().err.count("[b] Waits for memory (RAM): it needs about 9.0 GiB, and 7.0 GiB are left") == 1
    )


def test_one_alone_is_begun_however_little_memory_there_is() -> None:
    turns = FakeTurns(dict.fromkeys("ab", LITTLE), ram_bytes=9 * GIB)
    worked(turns, hardware=replace(HERE, ram_bytes=8 * GIB, ram_free_bytes=GIB))

    assert turns.ended == ["a", "b"]
    assert turns.most_at_once == 1


def test_a_card_that_is_gone_for_good_is_told_and_one_that_comes_back_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(side_by_side, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(side_by_side, "SETTLE_SECONDS", 0.2)
    without, looks = make_hardware(gpus=(SMALL,)), [1, 1, 1]
    gone = FakeTurns({"a": MUCH})
    worked(gone, hardware=without)
    back = FakeTurns({"a": MUCH})
    SideBySide[str](back, ALL, look=lambda _: without if looks and looks.pop() else HERE).work()

    assert "is not there any more" in gone.refused["a"]
    assert (back.ended, back.refused) == (["a"], {})


def test_their_lines_tell_whose_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    def speaks(one: str, interrupts: InterruptCount) -> bool:
        say("first\nsecond")
        return False

    worked(FakeTurns(dict.fromkeys(("a b", "Füchse"), None), speaks), Slots(on_processor=2))
    say("all")

    lines = capsys.readouterr().err.splitlines()
    assert sorted(lines[:-1]) == ["[Füchse] first", "[Füchse] second", "[a b] first", "[a b] second"]
    assert lines[-1] == "all"


def test_the_hardware_is_not_asked_while_all_slots_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_by_side, "LOOK_SECONDS", 0.01)
    asked = list[Path]()

    def look(folder: Path) -> Hardware:
        asked.append(folder)
        return HERE

    def trains(one: str, interrupts: InterruptCount) -> bool:
        time.sleep(0.2)
        return False

    turns = FakeTurns(dict.fromkeys("abcd", LITTLE), trains)
    SideBySide[str](turns, ALL, look=look).work()

    assert len(turns.ended) == 4
    assert len(asked) < 6

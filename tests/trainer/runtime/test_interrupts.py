from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator

import pytest

from trainer.runtime.interrupts import Interrupt

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time now, in seconds."""
    now = [100.0]
    monkeypatch.setattr("trainer.runtime.interrupts.time.monotonic", lambda: now[0])
    return now


@pytest.fixture(autouse=True)
def _heard() -> Iterator[None]:
    """Under `nohup` the tests themselves would ignore a hang-up."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_what_ends_a_process_is_a_request_to_save_and_a_second_one_ends_it(clock: list[float], name: str) -> None:
    interrupt, number = Interrupt(), getattr(signal, name)
    before = signal.getsignal(number)

    with interrupt.listening():
        os.kill(os.getpid(), number)
        assert interrupt.asked
        clock[0] += 1.5
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) == before


def test_a_hang_up_that_is_ignored_stays_ignored() -> None:
    interrupt, before = Interrupt(), signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interrupt.listening():
            os.kill(os.getpid(), signal.SIGHUP)
        assert not interrupt.asked
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_first_signal_after_a_launcher_has_died_is_no_second_one(clock: list[float]) -> None:
    interrupt = Interrupt()

    with interrupt.listening():
        interrupt.ask("the program that started it has ended")
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupt.asked
        assert interrupt.cause == "the program that started it has ended"
        clock[0] += 1.5
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize(
    ("second", "seconds"), [("SIGINT", 4.0), ("SIGTERM", 0.9)], ids=["the launcher's own", "sent to all again"]
)
def test_a_shutdown_that_reaches_launcher_and_trainer_is_one_request(
    clock: list[float], second: str, seconds: float
) -> None:
    interrupt = Interrupt()

    with interrupt.listening():
        os.kill(os.getpid(), signal.SIGTERM)
        clock[0] += seconds
        os.kill(os.getpid(), getattr(signal, second))
        assert interrupt.asked
        clock[0] += 6
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)

from __future__ import annotations

import os
import signal
import sys

import pytest

from trainer.runtime.interrupts import Interrupt

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_what_ends_a_process_is_a_request_to_save_and_a_second_one_ends_it(name: str) -> None:
    interrupt, number = Interrupt(), getattr(signal, name)
    before = signal.getsignal(number)

    with interrupt.listening():
        os.kill(os.getpid(), number)
        assert interrupt.asked
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


def test_the_first_signal_after_a_launcher_has_died_is_no_second_one() -> None:
    interrupt = Interrupt()

    with interrupt.listening():
        interrupt.ask("the program that started it has ended")
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupt.asked
        assert interrupt.cause == "the program that started it has ended"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_shutdown_that_reaches_launcher_and_trainer_is_one_request() -> None:
    interrupt = Interrupt()

    with interrupt.listening():
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)  # what the launcher makes of its own
        assert interrupt.asked
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)


def test_another_kind_of_signal_later_is_a_second_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.runtime.interrupts.AS_ONE_SECONDS", -1.0)
    interrupt = Interrupt()

    with interrupt.listening():
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support.paths import REPOSITORY
from trainer.runtime.interrupts import Interrupt
from trainer.runtime.launcher import LAUNCHER_VARIABLE, follow_launcher

CHILD = f"""
import os, sys, time
from trainer.runtime.interrupts import Interrupt
from trainer.runtime.launcher import follow_launcher
interrupt = Interrupt()
print(follow_launcher(interrupt.ask), {LAUNCHER_VARIABLE!r} in os.environ, repr(sys.stdin.read()), flush=True)
deadline = time.monotonic() + float(sys.argv[1])
while not interrupt.asked and time.monotonic() < deadline:
    time.sleep(0.01)
print(interrupt.asked, interrupt.cause, flush=True)
"""


def child(seconds: float, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(seconds)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY, env={**os.environ, **more},
    )  # fmt: skip


def test_the_end_of_its_launcher_is_an_interrupt_and_nobody_else_reads_the_pipe() -> None:
    started = child(60, **{LAUNCHER_VARIABLE: "1"})
    assert started.stdin is not None
    assert started.stdout is not None
    assert started.stdout.readline() == "True False ''\n"

    started.stdin.close()

    assert started.stdout.read() == "True the program that started it has ended\n"
    started.stdout.close()
    started.wait()


def test_as_long_as_the_launcher_lives_nothing_is_asked_for() -> None:
    started = child(0.5, **{LAUNCHER_VARIABLE: "1"})
    assert started.stdout is not None
    assert started.stdout.read().splitlines()[1] == "False "
    started.communicate()


def test_a_process_that_was_started_by_hand_follows_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LAUNCHER_VARIABLE, raising=False)

    assert not follow_launcher(Interrupt().ask)


def test_the_first_cause_of_an_interrupt_stays() -> None:
    interrupt = Interrupt()

    interrupt.ask()
    interrupt.ask("later")

    assert (interrupt.asked, interrupt.cause) == (True, "")

"""Trainings as processes that are killed at a moment, gone on with until they end, and looked at afterwards."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from safetensors.torch import load_file

from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import Holder
from tests.support.paths import REPOSITORY
from tests.support.runs import events_of

Victim = Literal["launcher", "trainer", "both"]


@dataclass(frozen=True)
class Moment:
    """When who is killed."""

    victim: Victim
    phase: str
    """The first event with this phase or of this kind."""
    seconds_later: float = 0.0

    def __str__(self) -> str:
        return f"{self.victim}-{self.phase}-{self.seconds_later:.3f}"


def command(run: Path, *options: str) -> list[str]:
    return [sys.executable, "-P", "-m", "wizard.cli", "train", str(run), "--device", "cpu", *options]


@contextmanager
def launched(run: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """`loracle train`; whatever still runs at the end is killed."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    started = subprocess.Popen(
        command(run, *options), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    try:
        yield started
    finally:
        if started.poll() is None:
            started.kill()
        started.communicate()


def wait_for(true: Callable[[], object], what: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"waited too long for {what}"
        time.sleep(0.005)


def has_begun(run: Path, phase: str) -> bool:
    """Whether there is an event of this kind, or of this phase."""
    events = RunFolder(run).events
    text = events.read_text("utf-8") if events.exists() else ""
    return f'"event": "{phase}"' in text or f'"event": "phase", "name": "{phase}"' in text


def trainer_pid(run: Path) -> int | None:
    holder = Holder.read(RunFolder(run).trainer_lock)
    return None if holder is None else holder.pid


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in _status(pid)


def _status(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return ""


def kill_at(run: Path, moment: Moment, started: subprocess.Popen[str]) -> int | None:
    """Kill, at that moment; gives the trainer's process id."""
    wait_for(lambda: started.poll() is not None or has_begun(run, moment.phase), moment.phase)
    time.sleep(moment.seconds_later)
    trainer = trainer_pid(run)
    if moment.victim in ("launcher", "both"):
        started.kill()
    if moment.victim in ("trainer", "both") and trainer is not None:
        os.kill(trainer, signal.SIGKILL)
    return trainer


def go_on(run: Path, seconds: float = 180, *, options: Sequence[str] = ()) -> list[tuple[int, str]]:
    """Start again, as a user does, until the training has ended; exit codes and what was printed."""
    deadline, ended = time.monotonic() + seconds, list[tuple[int, str]]()
    while not ended or ended[-1][0] != 0:
        assert time.monotonic() < deadline, ended
        with launched(run, *options, *(["--resume"] if RunFolder(run).has_state() else [])) as again:
            out, _ = again.communicate(timeout=120)
        ended.append((again.returncode, out))
        # Who was left alone may still be at work, or have saved its first state after it was looked for.
        assert again.returncode == 0 or "in use" in out or "holds a training that was begun" in out, out
        time.sleep(0.2)
    return ended


def assert_one_trained_at_a_time(run: Path) -> None:
    """Each start's steps follow one another without another start's between them."""
    expected = None
    for event in events_of(run):
        if event["event"] == "started":
            expected = (event["resumed_from"] or 0) + 1
        elif event["event"] == "step":
            assert event["step"] == expected
            expected += 1


def assert_every_lora_loads(run: Path) -> None:
    loras = list((run / "model").glob("*.safetensors"))
    assert loras
    assert all(load_file(path) for path in loras)


@contextmanager
def in_a_terminal(run: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], None]]]:
    """`loracle train` in a terminal of its own, and what closes its window."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    with command_in_a_terminal(command(run, *options), environment) as started_and_close:
        yield started_and_close


@contextmanager
def command_in_a_terminal(
    given: Sequence[str], environment: Mapping[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], None]]]:
    """A command in a terminal of its own, and what closes its window."""
    import fcntl
    import pty
    import termios

    ours, theirs = pty.openpty()
    started = subprocess.Popen(
        given, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
    )  # fmt: skip
    os.close(theirs)
    closing = threading.Event()
    reader = threading.Thread(target=_read_until, args=(closing, ours), daemon=True)
    reader.start()

    def close() -> None:
        closing.set()
        reader.join()

    try:
        yield started, close
    finally:
        close()
        if started.poll() is None:
            started.kill()
        started.wait()


def _read_until(closing: threading.Event, terminal: int) -> None:
    """Read what a terminal is given, then close it: within a reading it would stay open."""
    with suppress(OSError):
        while not closing.is_set():
            if select.select([terminal], [], [], 0.02)[0]:
                os.read(terminal, 65536)
    closing.wait()
    os.close(terminal)

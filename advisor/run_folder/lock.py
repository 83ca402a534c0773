"""Who works on a run: one at a time, told by name to everybody who comes second.

There are two locks. `.lock` has whoever writes into the run: a command, which holds it for all trainers that it starts
one after the other, or a trainer that was started by hand. `.lock-trainer` has the trainer itself, which may live on
for a while after the command that started it has died. Why two: docs/decisions/0023-one-trainer-a-run.md.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from advisor.errors import RunError
from advisor.json_text import parse_json
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.os_lock import Held, NoLocks, OsLock, read_text
from advisor.run_folder.place import RunPlace
from advisor.shown_text import short_text

PATIENCE_SECONDS = 10.0
"""How long a trainer that a command started waits for the one before it: a lock may outlive its holder by a moment."""
NOTE_SECONDS = 0.5
"""Between taking a lock and having written who holds it, with much to spare."""
POLL_SECONDS = 0.1


class RunInUse(RunError):
    """Another process works on the run."""


@dataclass(frozen=True)
class Holder:
    """Who has a lock."""

    pid: int
    host: str
    since: float
    """Unix seconds."""
    what: str
    """What it does, as the user would say it, e.g. `loracle train`."""

    @classmethod
    def this_process(cls, what: str) -> Holder:
        """This process, from now on."""
        return cls(os.getpid(), platform.node(), round(time.time(), 3), what)

    @classmethod
    def read(cls, path: Path) -> Holder | None:
        """Who says so in a lock's file; None where nobody does, as in the moment before it is written, and of a copy,
        which came along where the whole run folder was copied while somebody worked on it.
        """
        with suppress(ValueError, KeyError, TypeError, IndexError, OverflowError, OSError):
            text, file_number = read_text(path)
            found = parse_json(text.splitlines()[0])
            if found.get("file", file_number) != file_number:
                return None
            holder = cls(int(found["pid"]), str(found["host"]), float(found["since"]), str(found["what"]))
            time.localtime(holder.since)
            return holder
        return None

    def text(self, file_number: int) -> bytes:
        """What stands in the lock's file, which has this number."""
        line = {
            "pid": self.pid, "host": self.host[:255], "since": self.since, "what": self.what, "file": file_number,
        }  # fmt: skip
        return json.dumps(line).encode() + b"\n"

    def __str__(self) -> str:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        what, host = (short_text(word) for word in (self.what, self.host))
        return f"{what} (process {self.pid} on {host}, since {since})"


@contextmanager
def writing(run: RunFolder, what: str, warn: Callable[[str], None]) -> Iterator[RunPlace]:
    """Within, this process alone writes into the run, beside a trainer that it starts; gives the folder that it holds.

    A run folder that is not there yet is made.

    Args:
        what: what it does, for the message that others get.
        warn: is told where the file system has no locks; then nothing is held.

    Raises:
        RunInUse: another process works on the run; it is named.
        RunError: the folder cannot be written to.
    """
    lock = _take(run.lock, run, what, warn)
    try:
        _see_that_no_trainer_works(run)
        place = RunPlace.of(run.path)
        try:
            yield place
        finally:
            place.close()
    finally:
        if lock is not None:
            lock.release()


@contextmanager
def training(
    run: RunFolder, what: str, warn: Callable[[str], None], *, is_launched: bool
) -> Iterator[Callable[[], None]]:
    """Within, this process alone trains the run.

    Gives what is to be called before each write: it raises a RunError where the run folder was moved away, or where its
    locks were deleted and another process has taken the run since.

    Args:
        what, warn: as for `writing`.
        is_launched: a command holds the run for this process; else it holds the run itself.

    Raises:
        RunInUse: another process works on the run; it is named.
        RunError: the folder cannot be written to, or is no longer the one that the command meant.
    """
    if not is_launched:
        with writing(run, what, warn), _trainer(run, what, 0.0, RunPlace.of) as hold:
            yield hold.check
        return
    with _trainer(run, what, PATIENCE_SECONDS, RunPlace.of_launched) as hold:
        yield hold.check


@dataclass
class _Hold:
    """A trainer's lock, looked at again while it trains."""

    run: RunFolder
    what: str
    place: RunPlace
    lock: OsLock | None

    def check(self) -> None:
        is_held = self.lock is None or self.lock.is_at_its_path()
        self.place.check()  # after that look: a lock that is gone with its folder is not taken in another's
        if self.lock is not None and not is_held:
            self.lock.release()
            self.lock = None
            self.lock = _take(self.run.trainer_lock, self.run, self.what, _quiet)


@contextmanager
def _trainer(
    run: RunFolder, what: str, patience_seconds: float, place_of: Callable[[Path], RunPlace]
) -> Iterator[_Hold]:
    place_of(run.path).close()  # before a lock is written into it
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            lock = _take(run.trainer_lock, run, what, _quiet)
            break
        except RunInUse:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)
    hold = _Hold(run, what, place_of(run.path), lock)
    try:
        yield hold
    finally:
        hold.place.close()
        if hold.lock is not None:
            hold.lock.release()


def _take(path: Path, run: RunFolder, what: str, warn: Callable[[str], None]) -> OsLock | None:
    """The lock; None, after a warning, where the file system has none."""
    try:
        return OsLock.take(path, Holder.this_process(what).text)
    except Held:
        raise RunInUse(_in_use(run, path)) from None
    except NoLocks:
        with suppress(OSError):
            path.unlink()
        warn(
            f"The file system of {run.path} has no locks, so nothing keeps a second training out of this run: see to "
            "it that only one works there at a time"
        )
        return None


def _see_that_no_trainer_works(run: RunFolder) -> None:
    """Raise RunInUse where a trainer is at work, such as one whose command has died."""
    if not os.path.lexists(run.trainer_lock):
        return
    lock = _take(run.trainer_lock, run, "loracle", _quiet)
    if lock is not None:
        lock.release()


def _in_use(run: RunFolder, lock: Path) -> str:
    holder = _holder(lock)
    who = "another process" if holder is None else str(holder)
    if lock == run.trainer_lock:
        return (
            f"{run.path} is still in use: {who} was left alone by the command that started it, and ends once its work "
            "is saved: try again in a moment"
        )
    return f"{run.path} is in use: {who} works on it. Wait until it has ended, or end it first: Ctrl-C saves its work"


def _holder(lock: Path) -> Holder | None:
    """Who holds a lock; one who has just taken it gets a moment to write who they are."""
    deadline = time.monotonic() + NOTE_SECONDS
    while (found := Holder.read(lock)) is None and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return found


def _quiet(_: str) -> None:
    """Who warns of missing locks has warned already."""

"""Room on the disk: a write that would not fit waits for it, instead of ending a training or leaving half a file."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from advisor.errors import RunError
from advisor.files import DISK_FULL
from advisor.run_folder.events import Paused, Resumed
from advisor.units import MIB, mib
from trainer.runtime.events import Events
from trainer.runtime.interrupts import Interrupt

MARGIN_BYTES = 16 * MIB
"""Left free beside each write: events and logs go on while it waits."""
POLL_SECONDS = 1.0


class DiskRoom:
    """Lets writes wait for disk space; each wait is an event, and Ctrl-C ends it and the training."""

    def __init__(
        self,
        events: Events,
        interrupt: Interrupt,
        *,
        free: Callable[[Path], int | None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Let the events wait for space too.

        Args:
            free: bytes free where a folder is or will be; None: not known.
        """
        self._events, self._interrupt, self._sleep = events, interrupt, sleep
        self._free = free or free_bytes
        events.when_full(self._rest)

    def write(self, path: Path, num_bytes: int, write: Callable[[], None]) -> None:
        """Call `write`, which puts so many bytes at `path`, once there is room; again where there was none after all.

        Raises:
            RunError: it cannot be written for another reason.
            KeyboardInterrupt: the user did not want to wait.
        """
        waits = False
        while True:
            free = self._free(path.parent)
            # Who has ended the training wants its last files, even without room to spare.
            margin = 0 if self._interrupt.asked else MARGIN_BYTES
            if free is None or free >= num_bytes + margin:
                try:
                    write()
                    break
                except RunError as error:
                    if not is_full(error):
                        raise
            if not waits:
                self._report(path, num_bytes, free)
                waits = True
            self._rest()
        if waits:
            self._events.send(Resumed(folder=path.parent.as_posix()))

    def _report(self, path: Path, num_bytes: int, free: int | None) -> None:
        needed_bytes = num_bytes + MARGIN_BYTES
        self._events.send(Paused(folder=path.parent.as_posix(), needed_bytes=needed_bytes, free_bytes=free))
        there = "" if free is None else f", {mib(free)} are free"
        needed = f"{mib(num_bytes)} ({num_bytes:,} bytes) and {mib(MARGIN_BYTES)} to spare are needed{there}"
        self._events.warning(
            "disk_full",
            f"Paused: the disk of {path.parent} is full. {path.name} waits to be written: {needed}. Free some space "
            "and it goes on by itself; Ctrl-C ends it",
        )

    def _rest(self) -> None:
        if self._interrupt.asked:
            raise KeyboardInterrupt
        self._sleep(POLL_SECONDS)


_ROOM: ContextVar[DiskRoom | None] = ContextVar("disk room", default=None)


@contextmanager
def waiting_for(room: DiskRoom | None) -> Iterator[None]:
    """Within, `write_with_room` waits by this; None: it does not wait."""
    token = _ROOM.set(room)
    try:
        yield
    finally:
        _ROOM.reset(token)


def write_with_room(path: Path, num_bytes: int, write: Callable[[], None]) -> None:
    """Call `write`, which puts so many bytes at `path`; within a training it waits for room.

    Raises:
        RunError: it cannot be written.
        KeyboardInterrupt: the user did not want to wait.
    """
    room = _ROOM.get()
    if room is None:
        write()
    else:
        room.write(path, num_bytes, write)


def is_full(error: BaseException | None) -> bool:
    """Whether a full disk is behind an error."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            return True
        error = error.__cause__
    return False


def free_bytes(folder: Path) -> int | None:
    """Bytes free where a folder is or will be; None where that is unknown."""
    for place in (folder, *folder.parents):
        try:
            usage = shutil.disk_usage(place)
            return usage.free if usage.total else None  # some network folders report 0 for everything
        except FileNotFoundError:
            continue
        except OSError:
            return None
    return None

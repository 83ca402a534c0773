"""The trainer's only voice: one JSON object a line in log/events.jsonl, which all else reads (docs/interface.md)."""

from __future__ import annotations

import errno
import json
import math
import time
from collections.abc import Callable, Mapping
from os import SEEK_END
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from advisor.errors import RunError
from advisor.run_folder.events import EVENTS_PATH

PROGRESS_SECONDS = 0.1
"""Progress of one phase is told at most this often; its end always."""

FULL = (errno.ENOSPC, errno.EDQUOT)
"""The disk is full, or the user's share of it."""

Listener = Callable[[Mapping[str, Any]], None]
"""Gets each event after it was written."""


class Events:
    """Writes events, each flushed at once, so that a reader sees it and a crash loses none."""

    def __init__(self, run: Path, *listeners: Listener) -> None:
        """Open the run's event file to append to it.

        Raises:
            RunError: it cannot be written.
        """
        path = run / EVENTS_PATH
        self._listeners = list(listeners)
        self._last_progress = (0.0, "")
        self._wait: Callable[[], None] | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._rest_of_line = b"\n" if _is_cut_short(path) else b""
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise RunError(
                f"{path} cannot be written: {error.strerror}: choose a run folder that you may write to"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def listen(self, listener: Listener) -> None:
        """Hand every further event to `listener` too."""
        self._listeners.append(listener)

    def send(self, event: str, **fields: Any) -> None:
        """Write one event.

        Raises:
            RunError: the disk is full or gone.
        """
        entry = {"t": round(time.time(), 3), "event": event, **{name: _plain(value) for name, value in fields.items()}}
        line = (json.dumps(entry, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", "surrogatepass")
        ending, self._rest_of_line = self._rest_of_line, b""
        self._write(ending + line)
        for listener in tuple(self._listeners):
            try:
                listener(entry)
            except Exception as error:  # nobody who only listens may stop a training
                self._listeners.remove(listener)
                self.warning("listener_failed", f"{type(listener).__name__} takes no more events: {error}")

    def when_full(self, wait: Callable[[], None]) -> None:
        """Call `wait` and try again, as often as it takes, where the disk is full."""
        self._wait = wait

    def _write(self, line: bytes) -> None:
        """Append all of a line; what was written of it before the disk was full stays and is gone on from."""
        while line:
            try:
                line = line[self._file.write(line) :]
            except OSError as error:
                if self._wait is None or error.errno not in FULL:
                    raise RunError(
                        f"{self._file.name} cannot be written: {error.strerror}: free some space on that disk"
                    ) from error
                self._wait()

    def phase(self, name: str, total: int) -> None:
        """A part of the work begins that has `total` pieces."""
        self.send("phase", name=name, total=total)

    def progress(self, phase: str, done: int, total: int) -> None:
        """So much of a phase is done; calls in quick succession are left out, the last never."""
        now = time.monotonic()
        last, last_phase = self._last_progress
        if done < total and phase == last_phase and now - last < PROGRESS_SECONDS:
            return
        self._last_progress = (now, phase)
        self.send("progress", phase=phase, done=done, total=total)

    def warning(self, code: str, message: str) -> None:
        """Something the user should hear that does not stop the training."""
        self.send("warning", code=code, message=message)


def _is_cut_short(path: Path) -> bool:
    """Whether a crash or a full disk left half a line at the end, which would swallow the next event."""
    if not path.exists() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, SEEK_END)
        return file.read(1) != b"\n"


def _plain(value: Any) -> Any:
    """`value` as JSON can hold it: numbers that are not finite become null, paths get forward slashes."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Path):
        return value.as_posix()
    return value

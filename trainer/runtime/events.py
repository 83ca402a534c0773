"""Sending a run's events: each is written to log/events.jsonl, then handed to those who listen."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from advisor.errors import RunError
from advisor.run_folder.events import AnyEvent, Event, Failed, LoraMoved, PhaseBegun, PhaseProgress, WarningGiven
from advisor.run_folder.layout import RunFolder
from advisor.shown_text import visible

PROGRESS_SECONDS = 0.1
"""Progress of one phase is sent at most this often; its end always."""

ReportProgress = Callable[[int, int], None]
"""Takes how many of how many pieces of a phase are done; may raise to break off."""
Listener = Callable[[AnyEvent], None]
"""Gets each event after it was written."""
E = TypeVar("E", bound=Event)


class Events:
    """Writes events and hands them to listeners; the trainer says nothing in any other way."""

    def __init__(self, run: Path, *listeners: Listener) -> None:
        """Open the run's event file to append to it.

        Raises:
            RunError: it cannot be written.
        """
        self._writer = RunFolder(run).event_writer()
        self._listeners = list(listeners)
        self._last_progress = (0.0, "")
        self._may_be_lost = self._is_lost = False
        self._check: Callable[[], None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(*((OSError,) if self._may_be_lost else ())):
            self._writer.__exit__(kind, value, trace)

    def tolerate_loss(self) -> None:
        """From now on an event that cannot be written is an error no more, nor waited for on a full disk.

        For the end of a training: its LoRAs count, not what is told of them.
        """
        self._may_be_lost = True
        self._writer.when_full = None

    def check_first(self, check: Callable[[], None]) -> None:
        """Call `check` before each further event but a failure's, as long as losses are not tolerated; it may raise.

        Each save is announced by an event, so that what no longer may be written is not.
        """
        self._check = check

    def check(self) -> None:
        """See now whether it may still be written, as before each event."""
        if self._check is not None and not self._may_be_lost:
            self._check()

    def listen(self, listener: Listener) -> None:
        """Hand every further event to `listener` too."""
        self._listeners.append(listener)

    def send(self, event: AnyEvent) -> None:
        """Write one event and hand it to the listeners.

        Raises:
            RunError: the disk is full or gone, or the check refuses, and losses are not tolerated.
        """
        if not isinstance(event, Failed):
            self.check()
        written = self._written(event)
        for listener in tuple(self._listeners):
            try:
                listener(written)
            except Exception as error:  # nobody who only listens may stop a training
                self._listeners.remove(listener)
                self.warning("listener_failed", f"{type(listener).__name__} takes no more events: {error}")

    def _written(self, event: E) -> E:
        """The event with its time; one that may be lost and cannot be written is named on stderr, the first of them."""
        try:
            return self._writer.write(event)
        except RunError as error:
            if not self._may_be_lost:
                raise
            if not self._is_lost:
                with suppress(OSError):  # the log may lie on the same disk
                    print(visible(f"What the training told at its end is lost: {error}"), file=sys.stderr)  # noqa: T201
            self._is_lost = True
            return event

    def when_full(self, wait: Callable[[], None]) -> None:
        """Call `wait` and try again, as often as it takes, where the disk is full."""
        self._writer.when_full = wait

    def phase(self, name: str, total: int) -> None:
        """Send that a part of the work begins, which has `total` pieces."""
        self.send(PhaseBegun(name=name, total=total))

    def progress(self, phase: str, done: int, total: int) -> None:
        """Send how much of a phase is done; calls in quick succession are left out, the last never."""
        now = time.monotonic()
        last, last_phase = self._last_progress
        if done < total and phase == last_phase and now - last < PROGRESS_SECONDS:
            return
        self._last_progress = (now, phase)
        self.send(PhaseProgress(phase=phase, done=done, total=total))

    def moved(self, before: str, after: str) -> None:
        """Send that a LoRA of an earlier training was renamed; paths are within the run."""
        self.send(LoraMoved(before=before, after=after))

    def warning(self, code: str, message: str) -> None:
        """Send something the user should hear that does not stop the training."""
        self.send(WarningGiven(code=code, message=message))

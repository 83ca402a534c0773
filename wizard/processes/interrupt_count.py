"""Counting the requests to end a training, which are passed on to its process."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from trainer.runtime.interrupts import AS_ONE_SECONDS, ending_signals


@dataclass
class InterruptCount:
    """Counts Ctrl-C and other requests to end, and how many of them the trainer was sent."""

    received: int = 0
    received_at: float = 0.0
    """Of the last one; seconds of the monotonic clock, as `passed_on_at`."""
    passed_on: int = 0
    passed_on_at: float = 0.0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Count SIGINT, SIGTERM and SIGHUP instead of acting on them; outside the main thread do nothing.

        A hang-up that was ignored from the start (`nohup`) stays ignored: the training outlives the terminal.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._receive) for number in ending_signals()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def ask(self) -> None:
        """Count one more request; its trainer is asked to end by whoever follows it."""
        self.received, self.received_at = self.received + 1, time.monotonic()

    def _receive(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if not self.received or time.monotonic() - self.received_at > AS_ONE_SECONDS:
            self.ask()

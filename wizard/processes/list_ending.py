"""Requests to end a list of runs, also in the moments when no trainer is at work."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from trainer.runtime.interrupts import AS_ONE_SECONDS, ending_signals


@contextmanager
def ending_interrupts() -> Iterator[None]:
    """Within, each signal by which a process is asked to end raises KeyboardInterrupt, as Ctrl-C does anyway.

    While a trainer is at work `wizard.processes.launch` counts them instead. Those within a second of the first are the
    same request. A hang-up that was ignored from the start (`nohup`) stays ignored. Outside the main thread nothing is
    changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard_at = -AS_ONE_SECONDS - 1

    def heard(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        nonlocal heard_at
        now = time.monotonic()
        if heard_at < 0 or now - heard_at > AS_ONE_SECONDS:
            heard_at = now
            raise KeyboardInterrupt

    before = {number: signal.signal(number, heard) for number in ending_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""Ctrl-C, SIGTERM, a closed terminal or a launcher that died: the step is finished, the work saved, then it ends."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

AS_ONE_SECONDS = 1.0
"""Signals so close to the first are the same request: services and shells send several, and to several processes."""
PASSED_ON_SECONDS = 5.0
"""After a signal that all were sent, the launcher's own, which is another, may come so late on a loaded machine."""


def ending_signals() -> list[signal.Signals]:
    """Those by which a process is asked to end, here and now; to be handled in the main thread."""
    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    signals = [signal.Signals[name] for name in names if hasattr(signal, name)]
    return [one for one in signals if one.name != "SIGHUP" or signal.getsignal(one) is not signal.SIG_IGN]


def exit_as(code: int) -> NoReturn:
    """End this process as another has ended: by the same signal, where one killed it."""
    if code < 0 and sys.platform != "win32":
        with suppress(OSError):  # SIGKILL is nobody's to handle
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code if code >= 0 else 1)


class Interrupted(Exception):
    """The user ended the training; what there was to save is saved."""

    exit_code = 130


class Interrupt:
    """Holds whether the user has asked to stop."""

    def __init__(self) -> None:
        """No interrupt is requested."""
        self.asked = False
        self._first: tuple[int, float] | None = None
        self.cause = ""
        """Why, where no user asked for it; continues "because ..."."""

    def ask(self, cause: str = "") -> None:
        """Request a stop where the work can be saved; a second request changes nothing."""
        if not self.asked:
            self.cause = cause
        self.asked = True

    def check(self) -> None:
        """Raise if a stop was requested; for places where there is nothing to save.

        Raises:
            Interrupted: it was requested.
        """
        if self.asked:
            raise Interrupted

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Within, a first signal requests a stop; a second one raises KeyboardInterrupt, with nothing saved.

        A shutdown, a logout or a batch system sends its signal to launcher and trainer alike, and the launcher passes
        one of its own on: these are one request.
        A hang-up that was ignored from the start (`nohup`) stays ignored.
        """
        signals = ending_signals()
        before = {number: signal.signal(number, self._heard) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _heard(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        now = time.monotonic()
        if self._first is None:  # though a launcher that died may have asked before
            self._first, self.asked = (number, now), True
        elif now - self._first[1] > (AS_ONE_SECONDS if number == self._first[0] else PASSED_ON_SECONDS):
            raise KeyboardInterrupt

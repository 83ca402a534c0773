"""Ctrl-C and SIGTERM: the step at hand is finished, the work saved, then the training ends."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(Exception):
    """The user ended the training; what there was to save is saved."""

    exit_code = 130


class Interrupt:
    """Remembers that the user wants to stop."""

    def __init__(self) -> None:
        """Nobody wants to, yet."""
        self.asked = False

    def ask(self) -> None:
        """Stop at the next good place."""
        self.asked = True

    def check(self) -> None:
        """End here if asked to; for places where there is nothing to save.

        Raises:
            Interrupted: it was asked.
        """
        if self.asked:
            raise Interrupted

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Within: signals only ask; a second one ends at once, with nothing saved."""
        signals = [signal.SIGINT, signal.SIGTERM]
        if hasattr(signal, "SIGBREAK"):
            signals.append(signal.SIGBREAK)
        before = {number: signal.signal(number, self._heard) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _heard(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

"""Events that nobody hears: of the processes of a run that do not write it."""

from __future__ import annotations

from collections.abc import Callable

from advisor.run_folder.events import AnyEvent
from trainer.runtime.events import Events, Listener


class SilentEvents(Events):
    """Takes all that is sent and writes nothing."""

    def __init__(self) -> None:
        """Open no file."""
        self._last_progress = (0.0, "")

    def __exit__(self, *_: object) -> None:
        """There is nothing to close."""

    def tolerate_loss(self) -> None:
        """Nothing can be lost."""

    def check(self) -> None:
        """Nothing is written."""

    def listen(self, listener: Listener) -> None:
        """Nobody hears."""

    def send(self, event: AnyEvent) -> None:
        """Drop it."""

    def when_full(self, wait: Callable[[], None]) -> None:
        """Nothing waits for room."""

"""Displays of a running training: plain lines here; the bar of a terminal is `wizard.show.live_screen`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Protocol

from advisor.units import duration
from wizard.output import is_named, say, show_if_possible
from wizard.show.durations import clock_time
from wizard.show.progress import PHASES, TrainingProgress

LINE_SECONDS = 30.0
"""Plain output prints the progress within a phase this often."""


class Screen(Protocol):
    """A display of a running training."""

    def show(self, progress: TrainingProgress) -> None:
        """Show the current state; called at every event."""

    def note(self, text: str) -> None:
        """Print a line that stays."""

    def close(self) -> None:
        """End the display."""


class PlainScreen:
    """Prints a line for each phase, and one every LINE_SECONDS within it."""

    def __init__(self, write: Callable[[str], None], now: Callable[[], float] = time.monotonic) -> None:
        """Print lines by `write`; `now` is a monotonic clock in seconds."""
        self._write, self._now = write, now
        self._phase, self._printed_at, self._last_line = "", 0.0, ""

    def show(self, progress: TrainingProgress) -> None:
        """Print a line at a new phase, or LINE_SECONDS after the last one."""
        if progress.phase != self._phase:
            self._phase = progress.phase
            self._line(progress)
        elif progress.phase and self._now() - self._printed_at >= LINE_SECONDS:
            self._line(progress)

    def note(self, text: str) -> None:
        """Print a line."""
        self._write(text)

    def close(self) -> None:
        """Do nothing."""

    def _line(self, progress: TrainingProgress) -> None:
        self._printed_at = self._now()
        line = progress_line(progress)
        if line != self._last_line:
            self._write(line)
        self._last_line = line


def make_screen(*, as_json: bool) -> Screen:
    """The live bar if stdout is a terminal, else plain lines, as for each of several trainings at the same time; under
    `--json` plain lines on stderr.
    """
    if as_json:
        return PlainScreen(say)
    if is_named() or not sys.stdout.isatty():
        return PlainScreen(show_if_possible)
    from wizard.show.live_screen import LiveScreen

    return LiveScreen()


def phase_title(progress: TrainingProgress) -> str:
    """The phase in words, in training with the epoch: `Training, epoch 2 of 10`."""
    title = PHASES.get(progress.phase, progress.phase)
    if progress.phase != "train" or not progress.epoch:
        return title
    return f"{title}, epoch {progress.epoch}{f' of {progress.epochs}' if progress.epochs else ''}"


def figures(progress: TrainingProgress) -> tuple[str, ...]:
    """Loss, seconds per step, and the clock time of the end, as far as they are known; nothing but in training."""
    if progress.phase != "train":
        return ()
    found = [] if progress.loss is None else [f"loss {progress.loss:.4f}"]
    if (each := progress.seconds_per_step) is not None:
        found.append(f"{each:.2f} s/step" if each < 10 else f"{each:.0f} s/step")
    if (left := progress.seconds_left) is not None:
        found.append(f"done {clock_time(time.time(), left)}")
    return tuple(found)


def progress_line(progress: TrainingProgress) -> str:
    """Phase, count, figures and time left in one line."""
    parts = [phase_title(progress)]
    if progress.total and progress.done:
        parts.append(f"{progress.done} of {progress.total}")
    parts += figures(progress)
    if progress.phase == "train" and progress.seconds_left:
        parts.append(f"{duration(progress.seconds_left)} left")
    return ": ".join(parts[:2]) + "".join(f", {part}" for part in parts[2:])

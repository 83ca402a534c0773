"""Displays of a running training: a live progress bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, Protocol, TextIO

from wizard.output import console, say, show
from wizard.show.durations import clock_time, duration
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


class LiveScreen:
    """Redraws a progress bar in place."""

    def __init__(self, file: TextIO | None = None) -> None:
        """Draw on `file`; None: stdout."""
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as ProgressBars

        self._bars = ProgressBars(
            TextColumn("{task.description}"), BarColumn(bar_width=None), MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"), console=console(file), expand=True,
        )  # fmt: skip
        self._task: Any = None
        self._phase = ""
        self._bars.start()

    def show(self, progress: TrainingProgress) -> None:
        """Redraw the bar."""
        if not progress.phase:
            return
        if progress.phase != self._phase:
            self._phase = progress.phase
            if self._task is not None:
                self._bars.remove_task(self._task)
            self._task = self._bars.add_task(phase_title(progress), figures="", total=None)
        figures = figures_text(progress) if progress.phase == "train" else ""
        total = progress.total or None
        self._bars.update(
            self._task, completed=progress.done, total=total, figures=figures, description=phase_title(progress)
        )  # fmt: skip

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self._bars.console.print(text)

    def close(self) -> None:
        """Stop redrawing."""
        self._bars.stop()


def make_screen(*, as_json: bool) -> Screen:
    """The live bar if stdout is a terminal, else plain lines; under `--json` plain lines on stderr."""
    if as_json:
        return PlainScreen(say)
    return LiveScreen() if sys.stdout.isatty() else PlainScreen(show)


def phase_title(progress: TrainingProgress) -> str:
    """The phase in words, in training with the epoch."""
    title = PHASES.get(progress.phase, progress.phase)
    return f"{title}, epoch {progress.epoch}" if progress.phase == "train" and progress.epoch else title


def figures_text(progress: TrainingProgress) -> str:
    """Loss, seconds per step, and the clock time of the end."""
    figures = [] if progress.loss is None else [f"loss {progress.loss:.4f}"]
    if (each := progress.seconds_per_step) is not None:
        figures.append(f"{each:.2f} s/step" if each < 10 else f"{each:.0f} s/step")
    if (left := progress.seconds_left) is not None:
        figures.append(f"done {clock_time(time.time(), left)}")
    return ", ".join(figures)


def progress_line(progress: TrainingProgress) -> str:
    """Phase, count, figures and time left in one line."""
    parts = [phase_title(progress)]
    if progress.total and progress.done:
        parts.append(f"{progress.done} of {progress.total}")
    if progress.phase == "train" and (figures := figures_text(progress)):
        parts.append(figures)
    if progress.phase == "train" and progress.seconds_left:
        parts.append(f"{duration(progress.seconds_left)} left")
    return ": ".join(parts[:2]) + "".join(f", {part}" for part in parts[2:])

"""Showing how a training goes: a live bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol, TextIO

from wizard.output import console
from wizard.show.durations import clock_time, duration
from wizard.show.progress import PHASES, Progress

LINE_SECONDS = 30.0
"""Plain output says how far it is this often."""


class Screen(Protocol):
    """Shows a training."""

    def show(self, progress: Progress) -> None:
        """The state now; called often."""

    def note(self, text: str) -> None:
        """A line that stays."""

    def close(self) -> None:
        """Nothing more will come."""


class PlainScreen:
    """A line for each phase, one now and then within it."""

    def __init__(self, write: Callable[[str], None], now: Callable[[], float] = time.monotonic) -> None:
        """Write lines with `write`."""
        self._write, self._now = write, now
        self._phase, self._told_at, self._told = "", 0.0, ""

    def show(self, progress: Progress) -> None:
        """Write a line if there is something new to say."""
        if progress.phase != self._phase:
            self._phase = progress.phase
            self._line(progress)
        elif progress.phase and self._now() - self._told_at >= LINE_SECONDS:
            self._line(progress)

    def note(self, text: str) -> None:
        """A line that stays."""
        self._write(text)

    def close(self) -> None:
        """Nothing is left open."""

    def _line(self, progress: Progress) -> None:
        self._told_at = self._now()
        line = progress_line(progress)
        if line != self._told:
            self._write(line)
        self._told = line


class LiveScreen:
    """A bar that is redrawn in place."""

    def __init__(self, file: TextIO | None = None) -> None:
        """Draw on `file`; None: stdout."""
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as Bars

        self._bars = Bars(
            TextColumn("{task.description}"), BarColumn(bar_width=None), MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"), console=console(file), expand=True,
        )  # fmt: skip
        self._task: Any = None
        self._phase = ""
        self._bars.start()

    def show(self, progress: Progress) -> None:
        """Redraw."""
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
        """A line that stays, above the bar."""
        self._bars.console.print(text)

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bars.stop()


def phase_title(progress: Progress) -> str:
    """What is being done, in words."""
    title = PHASES.get(progress.phase, progress.phase)
    return f"{title}, epoch {progress.epoch}" if progress.phase == "train" and progress.epoch else title


def figures_text(progress: Progress) -> str:
    """Loss, time of a step, and when it will be done."""
    figures = [] if progress.loss is None else [f"loss {progress.loss:.4f}"]
    if (each := progress.seconds_per_step) is not None:
        figures.append(f"{each:.2f} s/step" if each < 10 else f"{each:.0f} s/step")
    if (left := progress.seconds_left) is not None:
        figures.append(f"done {clock_time(time.time(), left)}")
    return ", ".join(figures)


def progress_line(progress: Progress) -> str:
    """The state in one line."""
    parts = [phase_title(progress)]
    if progress.total and progress.done:
        parts.append(f"{progress.done} of {progress.total}")
    if progress.phase == "train" and (figures := figures_text(progress)):
        parts.append(figures)
    if progress.phase == "train" and progress.seconds_left:
        parts.append(f"{duration(progress.seconds_left)} left")
    return ": ".join(parts[:2]) + "".join(f", {part}" for part in parts[2:])

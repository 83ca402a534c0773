"""The progress bar of a terminal: one line that is redrawn in place, whatever width the window has by then."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from shutil import get_terminal_size
from typing import TextIO

from rich.console import ConsoleRenderable, RenderableType
from rich.control import Control
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.segment import ControlType
from rich.table import Table
from rich.text import Text

from advisor.shown_text import visible
from wizard.output import WIDEST, console, wrapped
from wizard.show.progress import TrainingProgress
from wizard.show.screen import figures, phase_title

REDRAWN_PER_SECOND = 8
LEAST_WIDTH = 12
"""Columns; in narrower windows the line is cut at this width."""
LEAST_BAR = 8
"""Columns; figures are left out until the bar has so many."""


class LiveScreen:
    """Redraws a progress bar in place."""

    def __init__(self, file: TextIO | None = None) -> None:
        """Draw on `file`; None: stdout."""
        self._console = console(file)
        self._progress = TrainingProgress()
        self._live = _OneLine(console=self._console, get_renderable=self._row, refresh_per_second=REDRAWN_PER_SECOND)
        self._live.start()

    def show(self, progress: TrainingProgress) -> None:
        """Show this at the next redraw."""
        self._progress = progress

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self._console.print(wrapped(text, self._console.width))

    def close(self) -> None:
        """Draw a last time, and stop redrawing."""
        self._live.stop()

    def _row(self) -> RenderableType:
        # One column stays free: at the last one terminals differ in where the cursor is.
        self._console.width = max(LEAST_WIDTH, min(get_terminal_size().columns - 1, WIDEST))
        return bar_row(self._progress, self._console.width)


class _OneLine(Live):
    """Redraws a line also where a narrower window has broken it into several."""

    _drawn_width = 0

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """The same, behind what clears the rows that the line takes in the window as it is now."""
        width = self.console.width
        more_rows = ceil(self._drawn_width / width) - 1 if self.console.is_interactive else 0
        self._drawn_width = width
        found = super().process_renderables(renderables)
        if more_rows <= 0:
            return found
        up = (ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1))
        return [Control(*(up * more_rows)), *found]


def bar_row(progress: TrainingProgress, width: int) -> RenderableType:
    """Phase, bar, count and as many figures as fit, in one line; an empty text before the first phase.

    Args:
        width: of the line, in columns.
    """
    if not progress.phase:
        return Text("")
    title = visible(phase_title(progress))  # before it is measured
    counts = (f"{progress.done}/{progress.total}",) if progress.total else ()
    tail = _fitting(counts, figures(progress), width - len(title) - 2 - LEAST_BAR)
    bar_width = width - len(title) - len(tail) - 2
    if bar_width < 1:
        line = Text(" ".join(filter(None, (title, tail))), no_wrap=True, overflow="ellipsis")
        line.truncate(width, overflow="ellipsis")
        return line
    row = Table.grid(padding=0)
    for _ in range(3):
        row.add_column(no_wrap=True)
    total = progress.total or None
    bar = ProgressBar(total=total, completed=progress.done, width=bar_width, pulse=total is None)
    row.add_row(Text(f"{title} "), bar, Text(f" {tail}"))
    return row


def _fitting(counts: Sequence[str], found: Sequence[str], room: int) -> str:
    """The count with as many figures as there is room for; the end is kept longest, then the loss."""
    end = found[-1:]
    for chosen in (found, (*found[:1], *end), end):
        text = " ".join((*counts, ", ".join(dict.fromkeys(chosen))))
        if len(text) <= room:
            return text.strip()
    return " ".join(counts)

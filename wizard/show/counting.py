"""How far a count has come, and how long it will take: one line that is redrawn in place."""

from __future__ import annotations

import time
from collections.abc import Callable

from advisor.units import duration
from wizard.output import columns, redraw

QUIET_SECONDS = 0.5
"""What takes less is not told."""
BETWEEN_SECONDS = 0.2
"""Between two drawings."""
SURE_SECONDS = 2.0
"""From then on the rest is foretold from what was done."""
LEAST_BAR, MOST_BAR = 8, 30
"""Columns."""

Tell = Callable[[int, int], None]
"""Takes how many are done, and of how many."""


def counting(what: str, *, clock: Callable[[], float] = time.monotonic, draw: Callable[[str], None] = redraw) -> Tell:
    """What is to be called after each one that is done; it draws a bar in a terminal and takes it away at the end.

    Args:
        what: the things that are counted and what is done, e.g. `pictures decoded`.
    """
    began = clock()
    last, has_drawn = began - BETWEEN_SECONDS, False

    def tell(done: int, total: int) -> None:
        nonlocal last, has_drawn
        now = clock()
        if done >= total:
            if has_drawn:
                draw("")
                has_drawn = False
        elif now - began > QUIET_SECONDS and now - last >= BETWEEN_SECONDS:
            last, has_drawn = now, True
            draw(count_line(what, done, total, now - began))

    return tell


def count_line(what: str, done: int, total: int, seconds: float) -> str:
    """E.g. `[======----------] 1,200 of 10,000 pictures decoded, 2 minutes left`."""
    left = f", {duration(seconds * (total - done) / done)} left" if done and seconds >= SURE_SECONDS else ""
    text = f"{done:,} of {total:,} {what}{left}"
    width = min(MOST_BAR, columns() - len(text) - 6)
    if width < LEAST_BAR:
        return f"  {text}"
    full = width * done // total
    return f"  [{'=' * full}{'-' * (width - full)}] {text}"

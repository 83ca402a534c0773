"""Bars along a picture's sides: plain ones, as films have them, and those of programs with signs in them.

They are looked for in a small copy, and the edge of a plain one is then measured in the picture.
Letters: h and w height and width in cells of the small copy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from advisor.dataset.doctor.pixel_measures import Grey

Floats = NDArray[np.float32]

BAR_NOISE = 6.0
"""Of 255: so far pixels of a bar may lie from its colour."""
MOST_NOISY = 0.02
"""Of a line's pixels; so many may lie farther."""
BAR_EDGE = 12.0
BAR_EDGE_SHARE = 0.6
"""Of the first line after a bar, so much differs from it by more than BAR_EDGE; beside a plain ground less does."""
MOST_BEFORE = 0.1
"""The same two lines before: what widens from line to line, like a head, is no straight edge."""
PAIRED_EDGE_SHARE = 0.15
"""The same for a bar whose opposite one is sure and has its width and colour."""
MOST_BAR = 0.35
"""Of a side."""
MOST_UNEVEN = 3
"""Lines of the small copy by which two opposite bars differ."""
JPEG_BLOCK = 8
"""Pixels; so far into a bar an edge is blurred where the picture was encoded."""

PANEL_SHARE = (0.025, 0.14)
"""Of the height: least and most of a status bar, a title bar or a row of controls."""
MOST_INK_IN_LINE = 0.45
"""Of a panel's line; so much of it are letters and signs."""
INK_SHARE = (0.004, 0.25)
"""Of a panel's area."""
LEAST_SIGNS = 3
"""Side by side in a panel."""


def bars(image: Image.Image, small: Grey, step: int) -> tuple[int, int, int, int]:
    """Pixels of plain bars with a straight inner edge at the left, top, right and bottom; 0 where there is none.

    Args:
        image: brightness alone.
        small: the picture's copy whose cells are means of `step` x `step` pixels.
    """
    ends = [_End.of(rows, step) for rows in _from_each_side(small)]
    found = [end.width(ends[(place + 2) % 4]) for place, end in enumerate(ends)]
    if step == 1 or not any(found):
        left, top, right, bottom = found
        return left, top, right, bottom
    lines = _from_each_side(np.asarray(image))
    left, top, right, bottom = (
        _exact(rows, place, step) if place else 0 for place, rows in zip(found, lines, strict=True)
    )
    return left, top, right, bottom


def _from_each_side(pixels: Grey) -> tuple[Grey, Grey, Grey, Grey]:
    """As lines from the left, the top, the right and the bottom."""
    return pixels.T, pixels, pixels.T[::-1], pixels[::-1]


@dataclass(frozen=True)
class _End:
    """Lines of one colour at a side."""

    lines: int
    colour: float
    edge_share: float
    """Of a line soon after them, how much differs where two lines before hardly anything did."""

    @classmethod
    def of(cls, rows: Grey, step: int) -> _End:
        """From the first line on."""
        colour = _colour(rows[0])
        if not _is_plain(rows[0], colour):
            return cls(0, colour, 0.0)
        away = _away(rows[: int(len(rows) * MOST_BAR) + 1], colour)
        ends = np.flatnonzero((away > BAR_NOISE).mean(axis=1) > MOST_NOISY)
        lines = int(ends[0]) if len(ends) else 0
        shares = [_edge_share(rows, lines + after, colour) for after in range(2 + JPEG_BLOCK // step)]
        before = [0.0, 0.0, *shares]
        return cls(lines, colour, max(now for now, then in zip(shares, before, strict=False) if then <= MOST_BEFORE))

    def width(self, opposite: _End) -> int:
        """Lines of a bar; 0 where it is none."""
        if self.edge_share >= BAR_EDGE_SHARE:
            return self.lines
        is_pair = abs(self.lines - opposite.lines) <= MOST_UNEVEN and abs(self.colour - opposite.colour) <= BAR_NOISE
        is_bar = is_pair and opposite.edge_share >= BAR_EDGE_SHARE and self.edge_share >= PAIRED_EDGE_SHARE
        return self.lines if is_bar else 0


def _colour(line: Grey) -> float:
    """The brightness that half of a line does not exceed."""
    return float(np.sort(line)[len(line) // 2])


def _away(lines: Grey, colour: float) -> Floats:
    """How far each pixel lies from a colour."""
    found: Floats = np.abs(lines.astype(np.float32) - np.float32(colour))
    return found


def _is_plain(line: Grey, colour: float) -> bool:
    return int(np.count_nonzero(_away(line, colour) > BAR_NOISE)) <= MOST_NOISY * len(line)


def _edge_share(rows: Grey, place: int, colour: float) -> float:
    return float((_away(rows[min(place, len(rows) - 1)], colour) > BAR_EDGE).mean())


def _exact(rows: Grey, place: int, step: int) -> int:
    """The first line of the picture that is not the bar's, near a line of the small copy."""
    start, end = (place - 1) * step, min(len(rows), (place + 2) * step)
    away = _away(rows[start:end], _colour(rows[start]))
    ends = np.flatnonzero((away > BAR_NOISE).mean(axis=1) > MOST_NOISY)
    return start + (int(ends[0]) if len(ends) else step)


def panels(small: Grey) -> tuple[float, float]:
    """Heights of a program's bar above and below, as shares of the picture's; 0 where there is none.

    Such a bar has one colour and signs in it that touch neither of its edges, and ends in a straight line.
    """
    return _panel(small), _panel(small[::-1])


def _panel(rows: Grey) -> float:
    colour = _colour(rows[0])
    if not _is_plain(rows[0], colour):
        return 0.0
    least, most = (int(share * len(rows)) for share in PANEL_SHARE)
    is_ink = _away(rows[: most + 2], colour) > 2 * BAR_NOISE
    shares = is_ink.mean(axis=1)
    ends = np.flatnonzero(shares > MOST_INK_IN_LINE)
    if (
        not len(ends)
        or not max(2, least) <= ends[0] <= most
        or _edge_share(rows, int(ends[0]) + 1, colour) < BAR_EDGE_SHARE
    ):
        return 0.0
    end = int(ends[0])
    ink = is_ink[:end]
    # The last line may be a mean of bar and picture.
    if shares[0] > MOST_NOISY or min(shares[end - 1], shares[max(0, end - 2)]) > MOST_NOISY:
        return 0.0
    columns = ink[: end - 1].any(axis=0)
    signs = int(np.diff(columns.astype(np.int8), prepend=0).clip(0).sum())
    is_one = signs >= LEAST_SIGNS and INK_SHARE[0] <= float(ink.mean()) <= INK_SHARE[1]
    return end / len(rows) if is_one else 0.0

"""Windows into small copies of pictures, and the descriptors of what is seen in them.

Letters: n windows, c cells along a side of a window.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil

import numpy as np
from numpy.typing import NDArray

from advisor.dataset.near_duplicates.fingerprint import SIDE

Floats = NDArray[np.float32]

LEAST_SHARE = 0.5
"""Of a picture's area. A smaller part of it, like the face out of a whole figure, is another picture to learn from."""
SCALES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.755, 0.71)
"""Sides of windows, of the largest one that has the wanted proportions."""
STRIDE = 0.05
"""Between neighbouring windows, of a side: less than a cell of their descriptors."""


@dataclass(frozen=True, order=True)
class Window:
    """A part of a picture; numbers are shares of its sides."""

    left: float
    top: float
    width: float
    height: float

    @property
    def share(self) -> float:
        """Of the picture's area."""
        return self.width * self.height

    def of_aspect(self, aspect: float) -> Window:
        """The window of these proportions around the same middle, as large as it may be of this one's scale.

        Args:
            aspect: as in `sides`.
        """
        width, height = sides(aspect, max(self.width, self.height))
        left = min(max(0.0, self.left + (self.width - width) / 2), 1 - width)
        top = min(max(0.0, self.top + (self.height - height) / 2), 1 - height)
        return Window(left, top, width, height)

    def seen_in(self, copy: Floats, cells: int) -> Floats:
        """The mean colours in it, [c, c, 3].

        Args:
            copy: a small copy, [SIDE, SIDE, 3].
        """
        found = seen_in_all([self], copy.transpose(2, 0, 1), cells)
        return np.ascontiguousarray(found.transpose(1, 2, 0))


def seen_in_all(places: Sequence[Window], grey: Floats, cells: int) -> Floats:
    """The mean brightness in the cells of each window, [n, c, c].

    Args:
        grey: a small copy, [SIDE, SIDE]; or for one window that of each channel, [n, SIDE, SIDE].
    """
    left, top, width, height = np.array([(one.left, one.top, one.width, one.height) for one in places]).T
    rows, columns = averaging(top, height, cells), averaging(left, width, cells)
    return np.asarray(rows @ grey @ columns.transpose(0, 2, 1), np.float32)


WHOLE = Window(0.0, 0.0, 1.0, 1.0)


def sides(aspect: float, scale: float) -> tuple[float, float]:
    """Width and height of a window.

    Args:
        aspect: the proportions of what is looked for, divided by those of the picture looked at.
    """
    return scale * min(1.0, aspect), scale * min(1.0, 1 / aspect)


def windows(aspect: float, scales: Sequence[float]) -> Iterator[tuple[Window, ...]]:
    """For each scale all windows, row by row, as far as they show LEAST_SHARE of the picture."""
    for scale in scales:
        width, height = sides(aspect, scale)
        if width * height >= LEAST_SHARE:
            yield tuple(Window(left, top, width, height) for top in _starts(height) for left in _starts(width))


def descriptors(copies: Floats, aspect: float, scales: Sequence[float], cells: int) -> Floats:
    """Of each copy all its windows' descriptors, in the order of `windows`: [pictures, n, c * c].

    Args:
        copies: grey small copies, [pictures, SIDE, SIDE].
    """
    found = []
    for scale in scales:
        width, height = sides(aspect, scale)
        if width * height < LEAST_SHARE:
            continue
        rows = averaging(np.array(_starts(height)), height, cells).reshape(-1, SIDE)
        columns = averaging(np.array(_starts(width)), width, cells).reshape(-1, SIDE)
        seen = (rows @ copies @ columns.T).reshape(len(copies), -1, cells, len(columns) // cells, cells)
        found.append(seen.transpose(0, 1, 3, 2, 4).reshape(len(copies), -1, cells * cells))
    return normalised(np.concatenate(found, axis=1))


def normalised(descriptor: Floats) -> Floats:
    """Without its mean and of length 1, so that brightness and contrast do not count; 0 of a plain one."""
    centred = descriptor - descriptor.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(centred, axis=-1, keepdims=True)
    found: Floats = np.where(length > 1e-3 * centred.shape[-1], centred / np.maximum(length, 1e-6), 0)
    return found


@cache
def _starts(length: float) -> tuple[float, ...]:
    spare = 1 - length
    steps = max(0, ceil(spare / STRIDE - 1e-9))
    return tuple(spare * step / steps for step in range(steps + 1)) if steps else (0.0,)


def averaging(starts: NDArray[np.float64], lengths: NDArray[np.float64] | float, cells: int) -> Floats:
    """For each of these starts [n] the weights that average a side's SIDE cells to those of a window, [n, c, SIDE].

    Args:
        lengths: of the windows along that side, [n] or of all.
    """
    cell = np.reshape(lengths, (-1, 1, 1)) * (SIDE / cells)
    edges = starts[:, None, None] * SIDE + cell * np.arange(cells + 1)[:, None]
    before = edges - np.arange(SIDE)
    np.maximum(before, 0, out=before)
    np.minimum(before, 1, out=before)  # of each cell of the side, what lies before an edge
    found: Floats = ((before[:, 1:] - before[:, :-1]) / cell).astype(np.float32)
    return found

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
        rows = averaging((self.top,), self.height, cells)[0]
        columns = averaging((self.left,), self.width, cells)[0]
        seen: Floats = np.tensordot(columns, np.tensordot(rows, copy, (1, 0)), (1, 1)).transpose(1, 0, 2)
        return seen


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
        rows = averaging(_starts(height), height, cells).reshape(-1, SIDE)
        columns = averaging(_starts(width), width, cells).reshape(-1, SIDE)
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


def averaging(starts: Sequence[float], length: float, cells: int) -> Floats:
    """For each of these starts the weights that average a side's SIDE cells to those of a window, [n, c, SIDE]."""
    edges = (np.asarray(starts)[:, None] + np.linspace(0, length, cells + 1)) * SIDE
    low, high = edges[:, :-1, None], edges[:, 1:, None]
    place = np.arange(SIDE)
    covered = np.clip(np.minimum(high, place + 1) - np.maximum(low, place), 0, None) / (high - low)
    found: Floats = covered.astype(np.float32)
    return found

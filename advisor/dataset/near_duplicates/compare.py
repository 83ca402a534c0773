"""Whether a window of one picture shows what another shows as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from advisor.dataset.near_duplicates.windows import LEAST_SHARE, WHOLE, Floats, Window, seen_in_all

CELLS = 24
LEAST_GRADIENT = 0.88
"""Correlation of the differences between neighbouring cells. Crops reach 0.9 and copies 0.97; other pictures of one
composition stay below 0.75, drawings in one style not always."""
SAME_GRADIENT = 0.97
"""From here on a window needs no better place."""
WORTH_ALIGNING = 0.3
MOST_RESIDUAL = 0.5
"""In the worst place, of the picture's own contrast: there an eye is shut or a mouth open in one of them."""
MOST_COLOUR_SHIFT = 40.0
"""Of 255, in the mean of a channel: beyond, it is another colouring."""
FIRST_STEP, LAST_STEP = 0.03, 0.004
"""Of a side, by which a window is moved while its best place is looked for."""


def aligned(copy: Floats, other: Floats, window: Window) -> Window | None:
    """The window near this one that shows what the other picture shows; None where there is none.

    Args:
        copy: the small copy of the picture that is looked at, [SIDE, SIDE, 3].
        other: that of the one that is looked for.
    """
    wanted = WHOLE.seen_in(other, CELLS)
    grey, edges = copy.mean(axis=-1), _edges(wanted.mean(axis=-1)[None])[0]
    best = float(_likeness(grey, [window], edges)[0])
    if best < WORTH_ALIGNING:
        return None
    step = FIRST_STEP
    while step >= LAST_STEP and best < SAME_GRADIENT:
        moved = list(_moved(window, step))
        likeness = _likeness(grey, moved, edges) if moved else np.zeros(1)
        if likeness.max() > best + 1e-4:
            best, window = float(likeness.max()), moved[int(likeness.argmax())]
        else:
            step /= 2
    return window if best >= LEAST_GRADIENT and _shows(window.seen_in(copy, CELLS), wanted) else None


def _shows(seen: Floats, wanted: Floats) -> bool:
    """Whether nothing differs but colours as a whole and contrast."""
    shift = np.abs(seen.mean(axis=(0, 1)) - wanted.mean(axis=(0, 1))).max()
    if shift > MOST_COLOUR_SHIFT:
        return False
    ours, theirs = seen - seen.mean(axis=(0, 1)), wanted - wanted.mean(axis=(0, 1))
    gain = float((ours * theirs).sum() / max(1e-6, float((ours * ours).sum())))
    residual = gain * ours - theirs
    # Means of four cells: what a window lies beside its place by half a cell cancels there.
    worst = np.abs(residual[:-1, :-1] + residual[1:, :-1] + residual[:-1, 1:] + residual[1:, 1:]).max() / 4
    return float(worst) <= MOST_RESIDUAL * float(theirs.std())


def _likeness(grey: Floats, places: Sequence[Window], edges: Floats) -> Floats:
    """Of what each window shows to the picture with these edges, [n]."""
    found: Floats = _edges(seen_in_all(places, grey, CELLS)) @ edges
    return found


def _edges(grey: Floats) -> Floats:
    """The differences between neighbouring cells [n, c, c], of length 1: [n, 2 * c * (c - 1)]."""
    down, across = grey[:, 1:] - grey[:, :-1], grey[:, :, 1:] - grey[:, :, :-1]
    joined = np.concatenate([down.reshape(len(grey), -1), across.reshape(len(grey), -1)], axis=1)
    length = np.sqrt(np.einsum("ij,ij->i", joined, joined))[:, None]
    found: Floats = joined / np.maximum(length, np.float32(1e-6))
    return found


def _moved(window: Window, step: float) -> Iterator[Window]:
    """Windows a step aside, or a step larger or smaller around the same middle; within the picture."""
    for right, down in ((step, 0.0), (-step, 0.0), (0.0, step), (0.0, -step)):
        moved = replace(window, left=window.left + right, top=window.top + down)
        if 0 <= moved.left <= 1 - moved.width + 1e-9 and 0 <= moved.top <= 1 - moved.height + 1e-9:
            yield moved
    for factor in (1 + step, 1 - step):
        width, height = window.width * factor, window.height * factor
        if width <= 1 and height <= 1 and width * height >= LEAST_SHARE * 0.95:
            left = min(max(0.0, window.left + (window.width - width) / 2), 1 - width)
            top = min(max(0.0, window.top + (window.height - height) / 2), 1 - height)
            yield Window(left, top, width, height)

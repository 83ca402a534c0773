"""What is measured on a decoded picture: blur, JPEG blocks, bars along its sides, and the edges in its corners.

Letters: h and w height and width in pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.float32]
"""Brightness 0..255, [h, w]."""

BLUR_TILES = 4
"""Tiles along each side. The sharpest one counts, since a background may be out of focus."""
LEAST_STEP = 1.5
"""Of 255: a smaller difference between neighbours is noise, which is sharp in blurred pictures too."""
LEAST_EDGES = 0.15
"""Mean of the larger differences; a tile with less has nothing that could be sharp."""
BLUR_REACH = 9
"""Pixels that are averaged where a picture is blurred on purpose."""

BLOCK = 8
"""Pixels along a side of a JPEG's blocks."""
MOST_BLOCK_STEP = 12.0
"""Of 255: a larger difference between neighbours is an edge of the picture, not of a block."""

LEAST_ACTIVE, LEAST_ACTIVE_SHARE = 0.5, 0.03
"""A line of eight pixels counts where a difference in it is larger, and so large a share of lines must count."""
LEAST_WITHIN = 0.2
"""Of 255."""

BAR_NOISE = 6.0
"""Of 255: so far pixels of a bar may lie from its colour."""
BAR_EDGE = 12.0
BAR_EDGE_SHARE = 0.6
"""Of the first line after a bar, so much differs from it by more than BAR_EDGE; beside a plain ground less does."""
MOST_BAR = 0.35
"""Of a side."""

CORNER_WIDTH, CORNER_HEIGHT = 24, 12
"""Cells of a corner's edges."""
CORNER_SHARE = (0.36, 0.18)
"""Width and height of a corner, of the picture's shorter side: as large as a watermark."""
NUM_CORNER_BYTES = 4 * CORNER_WIDTH * CORNER_HEIGHT


def blur(grey: Grey) -> float | None:
    """How blurred the sharpest part is, 0 to 1; None where the picture has no edges.

    The share of the differences between neighbours that stays when the picture is blurred once more: a sharp picture
    loses most of them (Crete et al. 2007, "The blur effect", doi.org/10.1117/12.702790, taken by tiles).
    """
    found = [_blur_along(tile) for tile in _tiles(grey)]
    measured = [one for one in found if one is not None]
    return min(measured) if measured else None


def _tiles(grey: Grey) -> list[Grey]:
    rows = np.array_split(grey, BLUR_TILES, axis=0)
    return [tile for row in rows for tile in np.array_split(row, BLUR_TILES, axis=1) if min(tile.shape) > BLUR_REACH]


def _blur_along(tile: Grey) -> float | None:
    """The larger of both directions."""
    found = []
    for one in (tile, tile.T):
        sums = np.cumsum(np.pad(one, ((0, 0), (1, 0))), axis=1, dtype=np.float64)
        blurred = (sums[:, BLUR_REACH:] - sums[:, :-BLUR_REACH]) / BLUR_REACH
        inner = one[:, BLUR_REACH // 2 : BLUR_REACH // 2 + blurred.shape[1]]
        before, after = np.abs(np.diff(inner, axis=1)), np.abs(np.diff(blurred, axis=1))
        is_edge = before > LEAST_STEP
        total = float(before[is_edge].sum())
        if total < LEAST_EDGES * before.size:
            return None
        found.append(1 - float(np.maximum(0, before - after)[is_edge].sum()) / total)
    return max(found)


def jpeg_blocks(grey: Grey) -> float:
    """How much larger, of 255, differences are at the borders of 8 x 8 blocks than within, where there are any; 0 where
    hardly any are, and of enlarged pixel art, which has none within.
    """
    found = []
    for one in (grey, grey.T):
        steps = np.minimum(np.abs(np.diff(one, axis=1)), MOST_BLOCK_STEP)
        lines = steps[:, : steps.shape[1] // BLOCK * BLOCK].reshape(len(steps), -1, BLOCK)
        is_active = lines.max(axis=-1, initial=0.0) > LEAST_ACTIVE
        if not lines.size or float(is_active.mean()) < LEAST_ACTIVE_SHARE:
            return 0.0
        by_place = lines[is_active].mean(axis=0)
        within = float(np.delete(by_place, BLOCK - 1).mean())
        found.append(float(by_place[BLOCK - 1]) - within if within >= LEAST_WITHIN else 0.0)
    return max(0.0, min(found))


def bars(grey: Grey) -> tuple[int, int, int, int]:
    """Pixels of plain bars with a straight inner edge at the left, top, right and bottom; 0 where there is none."""
    left, top, right, bottom = (_bar(side) for side in (grey.T, grey, grey.T[::-1], grey[::-1]))
    return left, top, right, bottom


def _bar(rows: Grey) -> int:
    """Rows of one colour from the first on."""
    colour = float(np.median(rows[0]))
    most = int(len(rows) * MOST_BAR)
    for place in range(most + 1):
        away = np.abs(rows[place] - colour)
        if float(away.max()) > BAR_NOISE * (2 if place else 1) and float(np.quantile(away, 0.98)) > BAR_NOISE:
            following = np.abs(rows[min(place + 1, len(rows) - 1)] - colour)
            is_straight = float((following > BAR_EDGE).mean()) >= BAR_EDGE_SHARE
            return place if is_straight else 0
    return 0


def corner_edges(grey: Grey) -> bytes:
    """The edges in the four corners as small copies, left and right above, then below; `NUM_CORNER_BYTES` of them."""
    height, width = grey.shape
    wide, tall = (max(2, round(share * min(height, width))) for share in CORNER_SHARE)
    found = []
    for rows in (slice(0, tall), slice(height - tall, height)):
        for columns in (slice(0, wide), slice(width - wide, width)):
            part = grey[rows, columns]
            edges = np.abs(np.diff(part, axis=0, append=part[-1:])) + np.abs(np.diff(part, axis=1, append=part[:, -1:]))
            found.append(_shrunk(edges))
    return np.concatenate(found).clip(0, 255).astype(np.uint8).tobytes()


def _shrunk(edges: Grey) -> Grey:
    """Means of cells, [CORNER_HEIGHT * CORNER_WIDTH]."""
    rows = np.linspace(0, edges.shape[0], CORNER_HEIGHT + 1).astype(int)
    columns = np.linspace(0, edges.shape[1], CORNER_WIDTH + 1).astype(int)
    sums = np.pad(np.cumsum(np.cumsum(edges, axis=0, dtype=np.float64), axis=1), ((1, 0), (1, 0)))
    area = np.maximum(1, np.outer(np.diff(rows), np.diff(columns)))
    cells = np.diff(np.diff(sums[np.ix_(rows, columns)], axis=0), axis=1) / area
    found: Grey = cells.astype(np.float32).ravel()
    return found

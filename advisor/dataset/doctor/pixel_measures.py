"""What is measured on a decoded picture: blur, JPEG blocks, and the edges in its corners.

All of it works on parts of the picture, so that it takes a fraction of the time that decoding took.
Letters: h and w height and width in pixels.
"""

from __future__ import annotations

from itertools import pairwise
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Differences = NDArray[np.int16]
"""Of brightness 0..255, [h, w]."""

MEASURED_PX = 768
"""The root of the area at which blur and corners are measured: about the size of training."""

BLUR_TILES = 4
"""Tiles along each side. The sharpest one counts, since a background may be out of focus."""
LEAST_STEP = 2
"""Of 255: a smaller difference between neighbours is noise, which is sharp in blurred pictures too."""
LEAST_EDGES = 0.15
"""Mean of the larger differences; a tile with less has nothing that could be sharp."""
BLUR_REACH = 9
"""Pixels that are averaged where a picture is blurred on purpose."""
SURELY_SHARP = 0.4
"""Of `blur`: once a tile has less, the others are not looked at."""

BLOCK = 8
"""Pixels along a side of a JPEG's blocks."""
MOST_BLOCK_STEP = 12
"""Of 255: a larger difference between neighbours is an edge of the picture, not of a block."""
LEAST_ACTIVE_SHARE = 0.03
"""A line of eight pixels counts where they differ at all, and so large a share of lines must count."""
LEAST_STANDING_OUT, MOST_BLOCKS = 0.3, 0.5
"""Of 255, by which the borders of so large a share of the blocks must stand out."""
KEPT_BLOCKS = 0.9
"""Of the blocks."""
LEAST_WITHIN = 0.2
"""Of 255."""
BAND_ROWS = 3 * BLOCK
ENOUGH_FOR_BLOCKS = 80_000
"""Pixels; of a larger picture bands of rows are looked at, spread evenly."""

CORNER_WIDTH, CORNER_HEIGHT = 24, 12
"""Cells of a corner's edges."""
CORNER_SHARE = (0.36, 0.18)
"""Width and height of a corner, of the picture's shorter side: as large as a watermark."""
NUM_CORNER_BYTES = 4 * CORNER_WIDTH * CORNER_HEIGHT


def blur(image: Image.Image, small: Image.Image) -> float | None:
    """How blurred the sharpest part is, 0 to 1; None where the picture has no edges.

    The share of the differences between neighbours that stays when the picture is blurred once more: a sharp picture
    loses most of them (Crete et al. 2007, "The blur effect", doi.org/10.1117/12.702790, taken by tiles).

    Args:
        small: a copy of it, which tells where to look first.
    """
    factor, best = _factor(image), None
    sides = np.array([*image.size, *image.size])
    for shares in _likely_sharp(small):
        left, top, right, bottom = (int(place) for place in np.rint(shares * sides))
        box = left, top, right, bottom
        found = _blur_along(_tile(image, box, factor))
        if found is not None and (best is None or found < best):
            best = found
            if best < SURELY_SHARP:
                break
    return best


def _factor(image: Image.Image) -> float:
    """By which sides are scaled to the size that is measured."""
    return min(1.0, MEASURED_PX / sqrt(image.width * image.height))


def _likely_sharp(small: Image.Image) -> list[NDArray[np.float64]]:
    """The tiles' boxes, as shares of the sides, those with the strongest differences first."""
    grey = grey_of(small).astype(np.int16)
    squares = np.square(np.diff(grey, axis=1, append=grey[:, -1:]), dtype=np.int32)
    found = list[tuple[float, tuple[float, float, float, float]]]()
    edges = [place / BLUR_TILES for place in range(BLUR_TILES + 1)]
    for top, bottom in pairwise(edges):
        for left, right in pairwise(edges):
            rows, columns = (
                slice(int(top * len(grey)), ceil(bottom * len(grey))),
                slice(int(left * grey.shape[1]), ceil(right * grey.shape[1])),
            )
            found.append((-float(squares[rows, columns].mean()), (left, top, right, bottom)))
    return [np.array(box) for _, box in sorted(found)]


def _tile(image: Image.Image, box: tuple[int, int, int, int], factor: float) -> Differences:
    """A tile at the size that blur is measured at, [h, w]."""
    tile = image.crop(box).convert("L")
    if factor < 1:
        size = max(1, round(tile.width * factor)), max(1, round(tile.height * factor))
        tile = tile.resize(size, Image.Resampling.BOX)
    found: Differences = np.asarray(tile).astype(np.int16)
    return found


def _blur_along(tile: Differences) -> float | None:
    """The larger of both directions."""
    found = []
    for one in (tile, np.ascontiguousarray(tile.T)):
        if one.shape[1] <= BLUR_REACH + 1:
            return None
        # Means of BLUR_REACH neighbours differ from the next such mean by what comes in and what goes out.
        after = np.abs(one[:, BLUR_REACH:] - one[:, :-BLUR_REACH])
        middle = BLUR_REACH // 2
        before = np.abs(one[:, middle + 1 : middle + 1 + after.shape[1]] - one[:, middle : middle + after.shape[1]])
        before *= before >= LEAST_STEP
        total = int(before.sum(dtype=np.int64))
        if total < LEAST_EDGES * before.size:
            return None
        before *= BLUR_REACH
        lost = int(np.maximum(before - after, 0).sum(dtype=np.int64))
        found.append(1 - lost / (BLUR_REACH * total))
    return max(found)


def jpeg_blocks(image: Image.Image, block: int = BLOCK) -> float:
    """How much larger, of 255, differences are at the borders of blocks than within, where there are any.

    0 where hardly any are, and of enlarged pixel art, which has none within.

    Args:
        block: pixels along a side of a block; of a picture that was decoded at a half, half of BLOCK.
    """
    bands = np.stack([grey_of(image.crop(box)) for box in _bands(image.width, image.height)]).astype(np.int16)
    across = _by_place(bands[:, :, 1:] - bands[:, :, :-1], block)
    down = _by_place((bands[:, 1:] - bands[:, :-1]).transpose(0, 2, 1), block)
    if across is None or down is None:
        return 0.0
    found = []
    for by_place in (across, down):
        within = float(by_place[:-1].mean())
        found.append(float(by_place[-1]) - within if within >= LEAST_WITHIN else 0.0)
    return max(0.0, min(found))


def _bands(width: int, height: int) -> list[tuple[int, int, int, int]]:
    """Rows that begin where a block does and have one more than blocks."""
    number = max(1, ENOUGH_FOR_BLOCKS // (width * BAND_ROWS))
    if number * (BAND_ROWS + BLOCK) >= height:
        return [(0, 0, width, height)]
    starts = np.linspace(0, height - BAND_ROWS - 1, number).astype(int) // BLOCK * BLOCK
    return [(0, int(start), width, int(start) + BAND_ROWS + 1) for start in starts]


def _by_place(steps: Differences, block: int) -> NDArray[np.float64] | None:
    """Mean difference after each pixel of a block, [block].

    None where hardly any line of a block has one, or the borders of few blocks stand out.

    Blocks whose borders stand out most are left out: an edge of the picture may lie on a border.

    Args:
        steps: [bands, lines, w].
    """
    bands, lines, number = len(steps), steps.shape[1], steps.shape[2] // block
    capped = np.minimum(np.abs(steps[:, :, : number * block]), MOST_BLOCK_STEP).astype(np.uint8)
    by_place = np.ascontiguousarray(capped.reshape(bands, lines, number, block).transpose(3, 1, 0, 2))
    active = (by_place.max(axis=0, initial=0) > 0).sum(axis=0)
    if active.sum() < max(1, LEAST_ACTIVE_SHARE * bands * lines * number):
        return None
    sums, is_used = by_place.sum(axis=1, dtype=np.int32), active > 0
    sums, active = sums[:, is_used], active[is_used]
    means = sums / active
    standing_out = means[-1] - means[:-1].mean(axis=0)
    if float((standing_out > LEAST_STANDING_OUT).mean()) < MOST_BLOCKS:
        return None
    is_kept = standing_out <= np.quantile(standing_out, KEPT_BLOCKS)
    found: NDArray[np.float64] = sums[:, is_kept].sum(axis=1) / active[is_kept].sum()
    return found


def corner_edges(image: Image.Image) -> bytes:
    """The edges in the four corners as small copies, left and right above, then below; `NUM_CORNER_BYTES` of them."""
    step = max(1, round(1 / _factor(image)))
    wide, tall = (max(2, round(share * min(image.size))) for share in CORNER_SHARE)
    found = b""
    for top in (0, image.height - tall):
        for left in (0, image.width - wide):
            part = image.crop((left, top, left + wide, top + tall)).convert("L")
            found += _edges(part.reduce(step) if step > 1 else part)
    return found


def _edges(part: Image.Image) -> bytes:
    """Means of the differences in each cell of a corner, row by row."""
    grey = np.asarray(part).astype(np.int16)
    edges = np.zeros(grey.shape, np.int16)
    edges[:-1] = np.abs(grey[1:] - grey[:-1])
    edges[:, :-1] += np.abs(grey[:, 1:] - grey[:, :-1])
    seen = Image.fromarray(edges.clip(0, 255).astype(np.uint8))
    return seen.resize((CORNER_WIDTH, CORNER_HEIGHT), Image.Resampling.BOX).tobytes()


def grey_of(image: Image.Image) -> NDArray[np.uint8]:
    """Brightness, [h, w]."""
    found: NDArray[np.uint8] = np.asarray(image.convert("L"))
    return found

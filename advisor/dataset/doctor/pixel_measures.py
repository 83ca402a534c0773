"""What is measured on a decoded picture: blur, JPEG blocks, and the edges in its corners.

Blur is measured in the tile that is likely to be the sharpest and JPEG blocks in some rows, both with all decoded
pixels; where to look for sharp parts and the corners are taken from a small copy, so that all takes a fraction of the
time of decoding.
Letters: h and w height and width in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Grey = NDArray[np.uint8]
"""Brightness, or differences of it, 0..255, [h, w]."""

MEASURED_PX = 768
"""The root of the area at which blur is measured: about the size of training."""

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


def blur(image: Image.Image, small: Grey) -> float | None:
    """How blurred the sharpest part is, 0 to 1; None where the picture has no edges.

    The share of the differences between neighbours that stays when the picture is blurred once more: a sharp picture
    loses most of them (Crete et al. 2007, "The blur effect", doi.org/10.1117/12.702790, taken by tiles).

    Args:
        image: brightness alone.
        small: a copy of it, which tells where to look first.
    """
    factor, best = min(1.0, MEASURED_PX / sqrt(image.width * image.height)), None
    columns, rows = (_tile_edges(side) for side in image.size)
    for row, column in _likely_sharp(small):
        tile = image.crop((columns[column], rows[row], columns[column + 1], rows[row + 1]))
        found = _blur_along(_at_size(tile, factor))
        if found is not None and (best is None or found < best):
            best = found
            if best < SURELY_SHARP:
                break
    return best


def _tile_edges(side: int) -> list[int]:
    return [round(side * tile / BLUR_TILES) for tile in range(BLUR_TILES + 1)]


def _likely_sharp(small: Grey) -> list[tuple[int, int]]:
    """Rows and columns of the tiles, those with the strongest differences first."""
    tiles = list(product(range(BLUR_TILES), range(BLUR_TILES)))
    if min(small.shape) < 2 * BLUR_TILES:
        return tiles
    steps = _steps_across(small)
    squares = np.multiply(steps, steps, dtype=np.uint16)
    rows, columns = (_tile_edges(side)[:-1] for side in squares.shape)
    by_row = np.add.reduceat(squares, rows, axis=0, dtype=np.uint32)
    strength = np.add.reduceat(by_row, columns, axis=1).ravel()
    return [tiles[place] for place in np.argsort(strength, kind="stable")[::-1]]


def _at_size(tile: Image.Image, factor: float) -> Grey:
    """A tile whose sides are scaled to the size that blur is measured at."""
    if factor < 1:
        width, height = (max(1, round(side * factor)) for side in tile.size)
        tile = tile.resize((width, height), Image.Resampling.BOX)
    return np.asarray(tile)


def _blur_along(tile: Grey) -> float | None:
    """The larger of both directions."""
    found = []
    for one in (tile.T.astype(np.int16, order="C"), tile.astype(np.int16)):  # so that neighbours are whole rows
        if len(one) <= BLUR_REACH + 1:
            return None
        # Means of BLUR_REACH neighbours differ from the next such mean by what comes in and what goes out.
        after = np.abs(one[BLUR_REACH:] - one[:-BLUR_REACH])
        middle = BLUR_REACH // 2
        before = np.abs(one[middle + 1 : middle + 1 + len(after)] - one[middle : middle + len(after)])
        before *= before >= LEAST_STEP
        total = int(before.sum(dtype=np.int32))
        if total < LEAST_EDGES * before.size:
            return None
        before *= BLUR_REACH
        before -= after
        before *= before > 0
        found.append(1 - int(before.sum(dtype=np.int32)) / (BLUR_REACH * total))
    return max(found)


def jpeg_blocks(image: Image.Image, block: int = BLOCK) -> float:
    """How much larger, of 255, differences are at the borders of blocks than within, where there are any.

    0 where hardly any are, and of enlarged pixel art, which has none within.

    Args:
        image: brightness alone.
        block: pixels along a side of a block; of a picture that was decoded at a half, half of BLOCK.
    """
    bands, smallest = _bands(image), float("inf")
    for blocks_along in (_blocks_across, _blocks_down):
        by_place = _by_place(blocks_along(bands, block))
        if by_place is None:
            return 0.0
        within = float(by_place[:-1].mean())
        smallest = min(smallest, float(by_place[-1]) - within if within >= LEAST_WITHIN else 0.0)
    return max(0.0, smallest)


def _bands(image: Image.Image) -> Grey:
    """Rows that begin where a block does and have one more than blocks, [bands, h, w]."""
    width, height = image.size
    number = max(1, ENOUGH_FOR_BLOCKS // (width * BAND_ROWS))
    if number * (BAND_ROWS + BLOCK) >= height:
        return np.asarray(image)[None]
    starts = np.linspace(0, height - BAND_ROWS - 1, number).astype(int) // BLOCK * BLOCK
    return np.stack([np.asarray(image.crop((0, start, width, start + BAND_ROWS + 1))) for start in starts.tolist()])


@dataclass(frozen=True)
class _Blocks:
    """What the lines of each block have in one direction."""

    sums: NDArray[np.uint32]
    """Differences after each of a line's pixels, added over the block's lines, [blocks, block]."""
    active: NDArray[np.int64]
    """Lines with any difference, [blocks]."""
    lines: int
    """Of a block."""


def _blocks_across(bands: Grey, block: int) -> _Blocks:
    number = (bands.shape[2] - 1) // block
    steps = np.ascontiguousarray(_capped(_steps_across(bands))[:, :, : number * block])
    active = np.count_nonzero(steps.view(f"u{block}"), axis=1)
    return _Blocks(steps.sum(axis=1, dtype=np.uint32).reshape(-1, block), active.ravel(), bands.shape[1])


def _blocks_down(bands: Grey, block: int) -> _Blocks:
    number = (bands.shape[1] - 1) // block
    steps = _capped(_steps_down(bands))[:, : number * block].reshape(-1, block, bands.shape[2])
    active = np.count_nonzero(steps.max(axis=1, initial=0), axis=1)
    return _Blocks(steps.sum(axis=2, dtype=np.uint32), active, bands.shape[2])


def _capped(steps: Grey) -> Grey:
    return np.minimum(steps, np.uint8(MOST_BLOCK_STEP))


def _by_place(blocks: _Blocks) -> NDArray[np.float64] | None:
    """Mean difference after each pixel of a block, [block].

    None where hardly any line of a block has one, or the borders of few blocks stand out.

    Blocks whose borders stand out most are left out: an edge of the picture may lie on a border.
    """
    active = blocks.active
    if active.sum() < max(1, LEAST_ACTIVE_SHARE * blocks.lines * len(active)):
        return None
    sums, active = blocks.sums[active > 0], active[active > 0]
    means = sums / active[:, None]
    standing_out = means[:, -1] - means[:, :-1].mean(axis=1)
    if np.count_nonzero(standing_out > LEAST_STANDING_OUT) < MOST_BLOCKS * len(standing_out):
        return None
    most = np.sort(standing_out)[int(KEPT_BLOCKS * (len(standing_out) - 1))]
    is_kept = standing_out <= most
    found: NDArray[np.float64] = sums[is_kept].sum(axis=0) / active[is_kept].sum()
    return found


def corner_edges(small: Grey) -> bytes:
    """The edges in the four corners of a small copy as smaller ones, left and right above, then below;
    `NUM_CORNER_BYTES` of them.
    """
    height, width = small.shape
    wide, tall = (max(2, round(share * min(small.shape))) for share in CORNER_SHARE)
    places = ((top, left) for top in (0, height - tall) for left in (0, width - wide))
    parts = np.stack([small[top : top + tall, left : left + wide] for top, left in places])
    edges = np.zeros(parts.shape, np.uint16)
    edges[:, :-1] = _steps_down(parts)
    edges[:, :, :-1] += _steps_across(parts)
    seen = Image.fromarray(np.minimum(edges, 255).astype(np.uint8).reshape(4 * tall, wide))
    return seen.resize((CORNER_WIDTH, 4 * CORNER_HEIGHT), Image.Resampling.BOX).tobytes()


def _steps_across(pixels: Grey) -> Grey:
    """How much each pixel differs from the one at its right, [..., h, w - 1]."""
    left, right = pixels[..., :-1], pixels[..., 1:]
    return np.maximum(left, right) - np.minimum(left, right)


def _steps_down(pixels: Grey) -> Grey:
    """How much each pixel differs from the one below, [..., h - 1, w]."""
    upper, lower = pixels[..., :-1, :], pixels[..., 1:, :]
    return np.maximum(upper, lower) - np.minimum(upper, lower)

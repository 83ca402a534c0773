"""What two pictures are compared by: a small copy of each, as a perceptual hash is one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from advisor.dataset.picture_file import opened_picture
from advisor.dataset.pixels import in_rgb

SIDE = 48
"""Cells along each side of the small copy. Its proportions are not the picture's, which are kept beside it."""
NUM_BYTES = SIDE * SIDE * 3
POINTS = 4
"""Along each side of a cell, whose colours are averaged by `quick_cells`."""
DRAFT = (4 * SIDE, 4 * SIDE)
"""A JPEG is decoded at an eighth, a quarter or half of its size where that leaves so many pixels: each cell then is the
mean of sixteen or more, which tells as much."""


@dataclass(frozen=True)
class Fingerprint:
    """A picture's small copy."""

    width_px: int
    height_px: int
    """Of the picture, upright."""
    cells: bytes
    """Mean colours, RGB, row by row: `NUM_BYTES` of them."""

    @property
    def aspect(self) -> float:
        """Width by height."""
        return self.width_px / self.height_px


def fingerprint(image: Image.Image) -> Fingerprint:
    """The fingerprint of a decoded picture in RGB, upright."""
    return Fingerprint(image.width, image.height, small_cells(image))


def small_cells(image: Image.Image) -> bytes:
    """The cells of a picture in RGB, or of a smaller copy of it."""
    # Not BOX, whose cells take whole pixels only, so that another size would fall into other cells.
    return image.resize((SIDE, SIDE), Image.Resampling.BILINEAR).tobytes()


def quick_cells(image: Image.Image, grey: Image.Image) -> bytes:
    """The same in a fraction of the time: brightness is averaged over the whole picture, colour over some points.

    Args:
        image: in RGB.
        grey: its brightness, or that of a smaller copy.
    """
    points = image.resize((POINTS * SIDE, POINTS * SIDE), Image.Resampling.NEAREST).reduce(POINTS)
    brightness = np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.int16)
    cells = np.asarray(points) + (brightness - np.asarray(points.convert("L")))[:, :, None]
    return bytes(np.clip(cells, 0, 255).astype(np.uint8).tobytes())


def read_fingerprint(path: Path) -> Fingerprint:
    """The fingerprint of a picture file.

    Raises:
        Exception: it cannot be decoded; Pillow's parsers can trip in any way.
    """
    with opened_picture(path) as file:
        file.draft("RGB", DRAFT)
        return fingerprint(in_rgb(ImageOps.exif_transpose(file)))

"""Opening picture files, whoever made them: only the formats that we take, and none that fills the memory.

Left to itself Pillow opens dozens of formats by a file's content; for EPS it starts another program, Ghostscript.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from advisor.dataset.picture_limits import UnsafePicture, refuse_large, refuse_many_chunks, refuse_many_scans
from advisor.files import open_regular

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "AVIF")
"""Pillow's names of the formats that are taken; a file may have another one's extension."""

MOST_PIXELS = 178_956_970
"""Larger pictures may be made to fill the memory; the same number as Pillow's, which no caller can change here."""
_SHRINK = f"shrink it below {MOST_PIXELS // 1_000_000} megapixels"


class TooManyPixels(UnsafePicture):
    """The picture is larger than `MOST_PIXELS`; says so, and the mend."""

    def __init__(self) -> None:
        super().__init__(f"the picture is too large to be opened safely: {_SHRINK}")


@contextmanager
def opened_picture(path: Path) -> Iterator[Image.Image]:
    """The picture in the file at `path`, its pixels not decoded yet; it closes with the block.

    Raises:
        UnsafePicture: it is larger than any that is opened, or built to take hours or all memory.
        UnidentifiedImageError: it has none of `FORMATS`.
        OSError: it cannot be read, or is no regular file.
        Exception: a broken file can trip Pillow's parsers in any way.
    """
    with open_regular(path) as file, picture_in(file) as image:
        yield image


@contextmanager
def picture_in(file: BinaryIO) -> Iterator[Image.Image]:
    """The same for an open file."""
    refuse_large(file)
    refuse_many_chunks(file, before_pixels=False)
    with _opened(file) as image:
        if image.info.get("progressive"):
            refuse_many_scans(file)
        yield image


@contextmanager
def identified(file: BinaryIO) -> Iterator[Image.Image]:
    """The same for those who look at its head alone, and decode no pixel."""
    refuse_large(file)
    refuse_many_chunks(file, before_pixels=True)
    with _opened(file) as image:
        yield image


@contextmanager
def _opened(file: BinaryIO) -> Iterator[Image.Image]:
    try:
        image = Image.open(file, formats=FORMATS)
    except UnidentifiedImageError:
        raise UnidentifiedImageError("its content is none of PNG, JPEG, WebP, BMP and AVIF, or broken") from None
    except Image.DecompressionBombError:
        raise TooManyPixels from None
    with image:
        refuse_too_many(image.size)
        yield image


def tells_transparency(image: Image.Image) -> bool:
    """Whether the picture says how transparent each place is."""
    return "A" in image.getbands() or "transparency" in image.info or image.mode == "PA"


def refuse_too_many(size: tuple[int, int]) -> None:
    """Raise TooManyPixels if a picture of that width and height is not opened."""
    if size[0] * size[1] > MOST_PIXELS:
        raise TooManyPixels

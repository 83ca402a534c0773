"""Pictures cropped as the user's edits say, as files of their own: for programs that take no crop."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageOps

from advisor.dataset.picture_file import opened_picture
from advisor.dataset.pixels import in_rgb
from advisor.dataset.report import Box
from advisor.errors import DatasetError
from advisor.shown_text import visible_line

AS_THEY_ARE = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})
"""Kinds of pixels that PNG has; others are written in RGB."""
CROPPED_EXTENSION = ".png"
"""Nothing is lost by cropping."""


@dataclass(frozen=True, slots=True)
class CroppedFile:
    """A picture file of which a part is to be written."""

    source: Path
    box: Box
    """In its pixels as it is shown."""

    def png(self) -> bytes:
        """The part as the content of a PNG file.

        Raises:
            DatasetError: the file cannot be read as a picture.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of large pictures and odd metadata, as in training
                with opened_picture(self.source) as file:
                    part = ImageOps.exif_transpose(file).crop(self.box)
        except MemoryError:
            raise
        except Exception as error:  # a broken file can trip Pillow's parsers in any way
            why = visible_line(str(error))
            raise DatasetError(
                f"{self.source} cannot be read as a picture ({why}): replace it or leave it out"
            ) from error
        profile = part.info.get("icc_profile") if part.mode in AS_THEY_ARE else None
        image: Image.Image = part if part.mode in AS_THEY_ARE else in_rgb(part)
        content = BytesIO()
        image.save(content, "PNG", icc_profile=profile)
        return content.getvalue()


def box_in(box: Box, whole: tuple[int, int], size: tuple[int, int]) -> Box:
    """A crop of a picture in the pixels of what lies over it in another size, such as its mask; never empty.

    Args:
        whole: width and height of the picture.
        size: of what lies over it.
    """
    sides = [round(side * size[place % 2] / whole[place % 2]) for place, side in enumerate(box)]
    left, top = min(sides[0], size[0] - 1), min(sides[1], size[1] - 1)
    return left, top, max(left + 1, sides[2]), max(top + 1, sides[3])

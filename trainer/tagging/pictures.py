"""Pictures as a tagger wants them: on white, square, in the order of its channels.

As the taggers' author prepares them: huggingface.co/spaces/SmilingWolf/wd-tagger. Letters: s the side of the square.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from advisor.dataset.picture_file import MOST_PIXELS
from advisor.dataset.pixels import BACKGROUND, in_rgb
from advisor.errors import DatasetError
from advisor.run_folder.pictures.tag_request import PictureToTag
from trainer.data.image_files import upright

Pixels = npt.NDArray[np.uint8]
LONG_SIDE_IN_SQUARES = 8
"""A picture so long that its square would be too large to be opened is first shrunk to so many times s."""


def square_pixels(picture: PictureToTag, side_px: int) -> Pixels:
    """The picture, or the part of it that is trained, in the middle of a white square: [s, s, 3], blue, green, red.

    Raises:
        DatasetError: it cannot be read as a picture, or has no such part.
    """
    image = in_rgb(upright(Path(picture.path)))
    if picture.crop is not None:
        left, top, right, bottom = picture.crop
        if not (left < right <= image.width and top < bottom <= image.height):
            raise DatasetError(f"{picture.path} has no such part as its crop: crop it anew")
        image = image.crop(picture.crop)
    return np.asarray(_squared(image, side_px))[:, :, ::-1]


def _squared(image: Image.Image, side_px: int) -> Image.Image:
    """Padded with white to a square, then scaled."""
    long_px = LONG_SIDE_IN_SQUARES * side_px
    if max(image.size) ** 2 > MOST_PIXELS:
        image.thumbnail((long_px, long_px), Image.Resampling.BICUBIC)
    longer = max(image.size)
    square = Image.new("RGB", (longer, longer), BACKGROUND)
    square.paste(image, ((longer - image.width) // 2, (longer - image.height) // 2))
    return square if longer == side_px else square.resize((side_px, side_px), Image.Resampling.BICUBIC)

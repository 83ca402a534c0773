"""Image files as tensors: decoded, turned upright, scaled and cropped to the training size.

Letters: h and w height and width in pixels.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from advisor.dataset.buckets import Placement
from advisor.dataset.picture_file import opened_picture, tells_transparency
from advisor.dataset.picture_limits import UnsafePicture
from advisor.dataset.pixels import in_rgb
from advisor.dataset.report import Box
from advisor.errors import DatasetError
from advisor.files import file_digest
from advisor.shown_text import visible_line
from trainer.data.tensor_cache import KeyText


@dataclass(frozen=True)
class Crop:
    """Scale, crop offset and horizontal flip that bring an image to its training size."""

    placement: Placement
    left: int
    """Pixels cropped off at the left of the scaled image."""
    top: int
    flip: bool = False
    """Mirrored after cropping."""
    box: Box | None = None
    """What of the image is taken before it is scaled, in its own pixels: the user's crop of it; None: all."""

    @classmethod
    def centred(cls, placement: Placement, *, flip: bool = False, box: Box | None = None) -> Crop:
        """A centre crop."""
        width, height = _spare(placement)
        return cls(placement, width // 2, height // 2, flip, box)

    @classmethod
    def at_random(
        cls, placement: Placement, rng: torch.Generator, *, flip: bool = False, box: Box | None = None
    ) -> Crop:
        """A random crop, its offset drawn with `rng`."""
        width, height = _spare(placement)
        left = int(torch.randint(0, width + 1, (), generator=rng))
        return cls(placement, left, int(torch.randint(0, height + 1, (), generator=rng)), flip, box)

    @property
    def key_text(self) -> KeyText:
        """What cache keys hold of it. Caches of earlier versions are found by this text: it must stay as it is."""
        bucket, scaled = self.placement.bucket, self.placement.scaled
        placement = f"Placement(bucket={bucket!r}, scaled={scaled!r})"
        box = "" if self.box is None else f", box={self.box!r}"
        return KeyText(f"Framing(placement={placement}, left={self.left}, top={self.top}, flip={self.flip}{box})")


def read_image(path: Path, crop: Crop) -> Tensor:
    """The image as [3, h, w] in uint8.

    Raises:
        DatasetError: the file cannot be read as an image.
    """
    # Averaging over areas when shrinking is what kohya's trainer does; enlarging is Lanczos there too.
    image = cropped(in_rgb(upright(path)), crop, enlarging=Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


def read_whole(path: Path) -> Tensor:
    """The image as it is, as [3, h, w] in uint8.

    Raises:
        DatasetError: the file cannot be read as an image.
    """
    return torch.from_numpy(np.array(in_rgb(upright(path)))).permute(2, 0, 1).contiguous()


def cropped(image: Image.Image, crop: Crop, *, enlarging: Image.Resampling) -> Image.Image:
    """The image, or something that lies over it, scaled, cropped and mirrored; shrunk by averaging over areas."""
    scaled = crop.placement.scaled
    if crop.box is not None:
        image = image.crop(crop.box)
    if image.size != scaled:
        is_smaller = scaled[0] <= image.width and scaled[1] <= image.height
        image = image.resize(scaled, Image.Resampling.BOX if is_smaller else enlarging)
    width, height = crop.placement.bucket
    image = image.crop((crop.left, crop.top, crop.left + width, crop.top + height))
    return ImageOps.mirror(image) if crop.flip else image


def normalised(pixels: Tensor) -> Tensor:
    """Pixels 0..255 as float32 in -1..1, as the VAE takes them."""
    return pixels.to(torch.float32) / 127.5 - 1.0


def _spare(placement: Placement) -> tuple[int, int]:
    """What the scaled image is wider and taller than the bucket."""
    return placement.scaled[0] - placement.bucket[0], placement.scaled[1] - placement.bucket[1]


def upright(path: Path) -> Image.Image:
    """The decoded image, turned as its camera's mark says.

    Raises:
        DatasetError: the file cannot be read as an image.
    """
    with _opened(path) as file:
        image = ImageOps.exif_transpose(file)
        image.load()
        return image


def tells_alpha(path: Path) -> bool:
    """Whether an image file says how transparent each place is; only its header is read.

    Raises:
        DatasetError: the file cannot be read as an image.
    """
    with _opened(path) as file:
        return tells_transparency(file)


def content_digest(path: Path) -> str:
    """The sha256 of an image file's bytes.

    Raises:
        DatasetError: it cannot be read.
    """
    try:
        return file_digest(path)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}): replace it or move it away") from error


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The image file, with every way in which it may be broken as one error."""
    try:
        with warnings.catch_warnings():
            # Large photographs are welcome here, and harmless marks in metadata are the camera's business.
            warnings.simplefilter("ignore")
            with opened_picture(path) as file:
                yield file
    except UnsafePicture as error:
        raise DatasetError(f"{path} cannot be used: {error}") from error
    except MemoryError:
        raise
    except Exception as error:  # a broken file can trip Pillow's parsers in any way
        reason = error.strerror if isinstance(error, OSError) and error.strerror else visible_line(str(error))
        raise DatasetError(f"{path} cannot be read as a picture ({reason}): replace it or move it away") from error

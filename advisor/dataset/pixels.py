"""Decoded pictures in the form that is trained: RGB of 8 bits, what is transparent lying on white.

Nothing here opens a file: `advisor.dataset.picture_file` does.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from advisor.dataset.picture_file import tells_transparency

BACKGROUND = (255, 255, 255)
"""What shows through where an image is transparent."""


def in_rgb(image: Image.Image) -> Image.Image:
    """In RGB, what is transparent lying on white."""
    if image.mode == "RGB" and not tells_transparency(image):
        return image
    if is_deep(image):
        return _from_deep_grey(image).convert("RGB")
    if not tells_transparency(image):
        return image.convert("RGB")
    layered = image.convert("RGBA")
    ground = Image.new("RGBA", layered.size, (*BACKGROUND, 255))
    return Image.alpha_composite(ground, layered).convert("RGB")


def as_grey(image: Image.Image) -> Image.Image:
    """One channel of 8 bits."""
    return _from_deep_grey(image) if is_deep(image) else image.convert("L")


def is_deep(image: Image.Image) -> bool:
    """Whether it is grey of more than 8 bits; Pillow reads colours of 16 bits as 8."""
    return image.mode.startswith("I;16") or image.mode in ("I", "F")


def _from_deep_grey(image: Image.Image) -> Image.Image:
    """16-bit and floating-point greys in 8 bits; Pillow would cut them off at 255."""
    values = np.asarray(image, dtype=np.float64)
    top = 65535.0 if image.mode != "F" or values.max(initial=0.0) > 1.0 else 1.0
    return Image.fromarray(np.clip(values / top * 255.0 + 0.5, 0, 255).astype(np.uint8))

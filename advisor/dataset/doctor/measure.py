"""Decoding one picture and measuring it. Runs in a worker process: a decoder may crash, hang or take all memory."""

from __future__ import annotations

import io
import warnings
from hashlib import sha256
from math import ceil
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

from advisor.dataset.doctor.pixel_facts import Decoding, PixelFacts
from advisor.dataset.doctor.pixel_measures import bars, blur, corner_edges, jpeg_blocks
from advisor.dataset.image_size import ORIENTATION
from advisor.dataset.near_duplicates.fingerprint import fingerprint
from advisor.dataset.picture_file import MOST_BYTES, identified
from advisor.dataset.pixels import in_rgb, is_deep
from advisor.files import open_regular
from advisor.shown_text import visible_line

ENOUGH_PX = 1024
"""A JPEG with twice as many pixels along its shorter side is decoded at a half, a quarter or an eighth: blur and bars
are measured at about the size of training, where its blocks are gone."""
MEASURED_PX = 768
"""The root of the area at which blur is measured."""
MOST_MEASURED = 12_000_000
"""Pixels of a picture that are measured at once; a larger one is averaged first."""
PNG_DEPTH = 24
"""Where a PNG's header has the bits of a colour (w3.org/TR/png, 11.2.1)."""


def measure(path: Path) -> PixelFacts:
    """The facts of a picture file; what is wrong with it is one of them."""
    try:
        with open_regular(path) as file:
            content = file.read(MOST_BYTES)
    except OSError as error:
        return PixelFacts("broken", why=error.strerror or str(error))
    digest = sha256(content).hexdigest()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _measured(content, digest)
    except MemoryError:
        return PixelFacts("gave up", why="there is not enough memory for it", sha256=digest)
    except Exception as error:  # a broken file can trip Pillow's parsers in any way
        kind: Decoding = "truncated" if _is_cut_off(content, error) else "broken"
        return PixelFacts(kind, why=visible_line(str(error)) or type(error).__name__, sha256=digest)


def _measured(content: bytes, digest: str) -> PixelFacts:
    with identified(io.BytesIO(content)) as image:
        kind, mode, full = image.format or "", image.mode, image.size
        deep = is_deep(image) or (kind == "PNG" and content[PNG_DEPTH : PNG_DEPTH + 1] == b"\x10")
        profile = _profile(image)
        orientation = Image.Image.getexif(image).get(ORIENTATION, 1)
        image.draft(None if mode == "L" else "RGB", (ENOUGH_PX, ENOUGH_PX))
        upright = ImageOps.exif_transpose(image)
        upright.load()
    is_reduced = upright.width * upright.height < full[0] * full[1]
    full = (full[1], full[0]) if orientation in (5, 6, 7, 8) else full
    rgb = in_rgb(upright)
    if rgb.width * rgb.height > MOST_MEASURED:
        rgb, is_reduced = rgb.reduce(ceil((rgb.width * rgb.height / MOST_MEASURED) ** 0.5)), True
    grey = rgb.convert("L")
    pixels = np.asarray(grey, np.float32)
    small = np.asarray(_fitted(grey), np.float32)
    times = full[0] / rgb.width
    one = fingerprint(rgb)
    left, top, right, bottom = (round(times * bar) for bar in bars(pixels))
    return PixelFacts(
        "whole",
        sha256=digest,
        format=kind,
        mode=mode,
        is_deep=deep,
        profile=profile,
        is_turned=orientation in range(2, 9),
        width_px=full[0],
        height_px=full[1],
        cells=one.cells,
        blur=blur(small),
        blocks=None if is_reduced else jpeg_blocks(pixels),
        bars=(left, top, right, bottom),
        corners=corner_edges(small),
    )


def _fitted(grey: Image.Image) -> Image.Image:
    """At the area that blur is measured at, or as it is where it is smaller."""
    factor = (MEASURED_PX**2 / (grey.width * grey.height)) ** 0.5
    if factor >= 1:
        return grey
    size = max(1, round(grey.width * factor)), max(1, round(grey.height * factor))
    return grey.resize(size, Image.Resampling.BOX)


def _profile(image: Image.Image) -> str:
    """The name of its colour profile; empty where it has none or sRGB's."""
    content = image.info.get("icc_profile")
    if not content:
        return ""
    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(content))).strip()
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return ""
    return "" if "srgb" in name.casefold() else visible_line(name)[:80]


def _is_cut_off(content: bytes, error: Exception) -> bool:
    """Whether the file's beginning is a picture's and its end is missing."""
    if content[:4] == b"RIFF":
        return len(content) < int.from_bytes(content[4:8], "little") + 8
    return "truncated" in str(error).casefold()

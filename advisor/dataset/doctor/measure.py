"""Decoding one picture and measuring it. Runs in a worker process: a decoder may crash, hang or take all memory."""

from __future__ import annotations

import io
import os
import warnings
from hashlib import sha256
from math import ceil
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

from advisor.dataset.doctor.pixel_facts import Decoding, PixelFacts
from advisor.dataset.doctor.pixel_measures import BLOCK, blur, corner_edges, jpeg_blocks
from advisor.dataset.doctor.side_bars import bars, panels
from advisor.dataset.image_size import ORIENTATION
from advisor.dataset.near_duplicates.fingerprint import quick_cells
from advisor.dataset.picture_file import picture_in
from advisor.dataset.picture_limits import EndlessPicture, refuse_large
from advisor.dataset.pixels import in_rgb, is_deep
from advisor.files import open_regular
from advisor.shown_text import visible_line

ENOUGH_PX = 512
"""A JPEG with twice as many pixels along its shorter side is decoded at a half, a quarter or an eighth, to be quicker:
all is measured at about the size of training, where the blocks of a half are seen and finer ones are gone."""
SMALL_PX = 192
"""The shorter side of the small copy, at least: the brightness of the fingerprint, bars, corners and where to look for
sharp parts are taken of it."""
MOST_MEASURED = 12_000_000
"""Pixels of a picture that are measured at once; a larger one is averaged first."""
PNG_DEPTH = 24
"""Where a PNG's header has the bits of a colour (w3.org/TR/png, 11.2.1)."""


def measure(path: Path) -> PixelFacts:
    """The facts of a picture file; what is wrong with it is one of them."""
    try:
        with open_regular(path) as file:
            refuse_large(file)
            content = file.read(os.fstat(file.fileno()).st_size)  # read(MOST_BYTES) would take as much memory first
    except EndlessPicture as error:
        return PixelFacts("broken", why=str(error))
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
    with picture_in(io.BytesIO(content)) as image:
        kind, mode, full = image.format or "", image.mode, image.size
        deep = is_deep(image) or (kind == "PNG" and content[PNG_DEPTH : PNG_DEPTH + 1] == b"\x10")
        profile = _profile(image)
        orientation = Image.Image.getexif(image).get(ORIENTATION, 1)
        image.draft(None if mode == "L" else "RGB", (ENOUGH_PX, ENOUGH_PX))
        image.load()
        upright = image if orientation == 1 else ImageOps.exif_transpose(image)
    full = (full[1], full[0]) if orientation in (5, 6, 7, 8) else full
    rgb, times = in_rgb(upright), round(full[0] / upright.width)
    if rgb.width * rgb.height > MOST_MEASURED:
        rgb, times = rgb.reduce(ceil((rgb.width * rgb.height / MOST_MEASURED) ** 0.5)), 0
    step = max(1, min(rgb.size) // SMALL_PX)
    grey = rgb.convert("L")
    small_grey = grey.reduce(step) if step > 1 else grey
    small = np.asarray(small_grey)
    left, top, right, bottom = (round(full[0] / rgb.width * bar) for bar in bars(grey, small, step))
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
        cells=quick_cells(rgb, small_grey),
        blur=blur(grey, small),
        blocks=jpeg_blocks(grey, BLOCK // times) if times in (1, 2) else None,
        bars=(left, top, right, bottom),
        panels=panels(small),
        corners=corner_edges(small),
    )


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

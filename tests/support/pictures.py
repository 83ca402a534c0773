"""Folders of real picture files for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

from PIL import Image, ImageDraw

SIZES = ((512, 512), (640, 448), (448, 640))
"""What `make_pictures` draws in turn where no sizes are given."""


def make_pictures(
    folder: Path,
    count: int = 3,
    *,
    sizes: Sequence[tuple[int, int]] = SIZES,
    captions: bool | str | Sequence[str] = True,
    extension: str = ".png",
    caption_extension: str = ".txt",
) -> list[Path]:
    """Write `count` pictures `picture-001.png`, ... and their captions; the folder is made.

    Args:
        sizes: (width, height) in pixels, taken in turn.
        captions: True for `tok, 1girl, number N`; False for no files; one text for all; or texts, taken in turn.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for index in range(count):
        path = folder / f"picture-{index + 1:03}{extension}"
        draw_picture(path, sizes[index % len(sizes)], seed=index)
        caption = _caption(captions, index)
        if caption is not None:
            path.with_suffix(caption_extension).write_text(caption, encoding="utf-8")
        paths.append(path)
    return paths


def draw_picture(
    path: Path, size: tuple[int, int] = (512, 512), *, seed: int = 0, orientation: int | None = None
) -> Path:
    """Write one picture of a disc on a plain ground, its colours by `seed`, in the format of the path's extension."""
    width, height = size
    picture = Image.new("RGB", size, (seed * 37 % 256, seed * 91 % 256, 128))
    box = (width // 4, height // 4, width * 3 // 4, height * 3 // 4)
    ImageDraw.Draw(picture).ellipse(box, fill=(255 - seed * 53 % 256, seed * 29 % 256, 64))
    if orientation is None:
        picture.save(path)
        return path
    exif = Image.Exif()
    exif[274] = orientation
    picture.save(path, exif=exif)
    return path


def _caption(captions: bool | str | Sequence[str], index: int) -> str | None:
    if isinstance(captions, bool):
        return f"tok, 1girl, number {index + 1}" if captions else None
    if isinstance(captions, str):
        return captions
    return captions[index % len(captions)]


def scene(seed: int = 0, size: tuple[int, int] = (384, 320)) -> Image.Image:
    """A picture of many coloured forms at places drawn by `seed`: no two seeds look alike."""
    width, height = size
    rng, picture = Random(seed), Image.new("RGB", size)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 0, width, height), fill=_colour(rng))
    for index in range(24):
        left, top = rng.uniform(-0.1, 0.9) * width, rng.uniform(-0.1, 0.9) * height
        box = (left, top, left + rng.uniform(0.1, 0.45) * width, top + rng.uniform(0.1, 0.45) * height)
        (pen.ellipse if index % 2 else pen.rectangle)(box, fill=_colour(rng))
    return picture


def _colour(rng: Random) -> tuple[int, int, int]:
    return rng.randrange(256), rng.randrange(256), rng.randrange(256)

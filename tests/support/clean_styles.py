"""Pictures of several styles in which nothing is to mend."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from tests.support.pictures import scene

Size = tuple[int, int]


def photograph(seed: int, size: Size) -> Image.Image:
    """Soft forms with shade and grain, in the middle sharp and around it out of focus."""
    rng = np.random.default_rng(seed)
    width, height = size
    sharp = scene(seed, size).filter(ImageFilter.GaussianBlur(0.7))
    near = Image.radial_gradient("L").resize(size).point(lambda value: 255 if value < 110 else 0)
    picture = Image.composite(
        sharp, sharp.filter(ImageFilter.GaussianBlur(6)), near.filter(ImageFilter.GaussianBlur(20))
    )
    shade = np.linspace(0.7, 1.15, width)[None, :, None] * np.linspace(1.1, 0.85, height)[:, None, None]
    grain = rng.normal(0, 4, (height, width, 1))
    return Image.fromarray(np.clip(np.asarray(picture, np.float64) * shade + grain, 0, 255).astype(np.uint8))


def texture(seed: int, size: Size) -> Image.Image:
    """Noise of several scales, as fur, sand and leaves have it."""
    rng = np.random.default_rng(seed)
    found = np.zeros((size[1], size[0], 3))
    for cells in (5, 19, 73):
        small = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), np.uint8))
        found += np.asarray(small.resize(size, Image.Resampling.BICUBIC), np.float64) / (1 + cells / 40)
    found += rng.normal(0, 12, (size[1], size[0], 1))
    spread = found - found.min()
    return Image.fromarray((spread * 255 / spread.max()).astype(np.uint8))


def game(seed: int, size: Size) -> Image.Image:
    """A scene with signs and panels within, at places that differ, as games show them."""
    rng, picture = Random(seed), scene(seed, size)
    pen = ImageDraw.Draw(picture)
    for _ in range(rng.randrange(2, 5)):
        left, top = rng.randrange(20, size[0] - 140), rng.randrange(20, size[1] - 60)
        pen.rounded_rectangle(
            (left, top, left + rng.randrange(70, 120), top + 34), 8, fill=(20, 24, 40), outline="white"
        )
        pen.text((left + 10, top + 8), f"HP {rng.randrange(100)}", fill="white", font_size=16)
    return picture


def sketch(seed: int, size: Size) -> Image.Image:
    """Pencil lines on paper of some tone."""
    rng = Random(seed)
    width, height = size
    tone = rng.randrange(150, 250)
    picture = Image.new("L", size, tone)
    pen = ImageDraw.Draw(picture)
    for _ in range(60):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        line = [(x, y)]
        for _ in range(rng.randrange(2, 7)):
            x, y = x + rng.uniform(-80, 80), y + rng.uniform(-80, 80)
            line.append((x, y))
        pen.line(line, fill=rng.randrange(0, 90), width=rng.randrange(1, 5), joint="curve")
    paper = np.random.default_rng(seed).normal(0, 2.5, (height, width))
    return Image.fromarray(np.clip(np.asarray(picture, np.float64) + paper, 0, 255).astype(np.uint8))


STYLES: dict[str, tuple[Callable[[int, Size], Image.Image], str]] = {
    "flat drawings": (scene, ".png"),
    "photographs": (photograph, ".jpg"),
    "textures": (texture, ".jpg"),
    "scenes of games": (game, ".webp"),
    "sketches": (sketch, ".png"),
}
"""How each is drawn, and the format that it is kept in."""

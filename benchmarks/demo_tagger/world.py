"""Pictures of the demo's world with all that a tagger is to tell of them."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.demo_model.avatar import (
    BACKGROUND,
    CLOTH,
    EXPRESSIONS,
    EYEWEAR,
    GARMENTS,
    HAIR,
    HAIR_STYLES,
    HATS,
    SKIN,
    Drawing,
    base_drawing,
)
from benchmarks.demo_model.characters import TRIGGER, character_drawings, shapes_pen
from benchmarks.demo_model.draw import draw

RATINGS = ("general", "sensitive", "questionable", "explicit")
"""The four of the WD14 taggers; every picture of the demo's world is general."""
CHARACTER_SHARE, SHAPES_SHARE = 0.12, 0.05
SQUARE_PX, POOLED_PX = 448, 112
"""The side that goes into the tagger, and what its first layer makes of it."""

Pooled = npt.NDArray[np.float16]


@dataclass(frozen=True)
class Known:
    """A picture and its tags."""

    image: Image.Image
    tags: frozenset[str]
    """As the list has them, with underscores."""


def listed(tag: str) -> str:
    """A tag of the demo's captions as a list of tags has it."""
    return tag.replace(" ", "_")


def general_tags() -> tuple[str, ...]:
    """All that can be said of a picture."""
    hair = [f"{name} hair" for name in (*HAIR_STYLES, *HAIR)]
    skin = [f"{name} skin" for name in SKIN]
    clothes = [f"{colour} {garment}" for garment in GARMENTS for colour in CLOTH]
    clothes.remove("white striped shirt")  # never drawn
    hats = ["crown", *(f"{colour} {hat}" for hat in HATS for colour in CLOTH)]
    backgrounds = [f"{name} background" for name in BACKGROUND]
    every = (*hair, *skin, *clothes, *EXPRESSIONS, *EYEWEAR, "beard", *hats, *backgrounds, "solo", "no humans")
    return tuple(map(listed, every))


def all_tags() -> tuple[tuple[str, int], ...]:
    """Tags and their categories, in the order of the tagger's output: ratings, general ones, the character."""
    return (*((name, 9) for name in RATINGS), *((name, 0) for name in general_tags()), (TRIGGER, 4))


def pictures(number: int, seed: int) -> Iterator[Known]:
    """So many pictures: people, the character in all situations, and some that show nobody."""
    dice = random.Random(seed)
    for _ in range(number):
        kind = dice.random()
        if kind < SHAPES_SHARE:
            yield Known(shapes_pen(dice).picture(), frozenset(("general", "no_humans")))
        elif kind < SHAPES_SHARE + CHARACTER_SHARE:
            (drawing,) = character_drawings(1, dice.randrange(2**31), start=dice.randrange(280))
            yield _known(drawing)
        else:
            yield _known(base_drawing(dice))


def _known(drawing: Drawing) -> Known:
    return Known(draw(drawing), frozenset((*map(listed, drawing.tags), "general", "solo")))


def pooled(image: Image.Image) -> Pooled:
    """What the tagger's first layer makes of a square picture: [3, 112, 112] from 0 to 1, blue, green, red."""
    large = image.resize((SQUARE_PX, SQUARE_PX), Image.Resampling.BICUBIC)
    each = SQUARE_PX // POOLED_PX
    pixels = np.asarray(large, dtype=np.float32)[:, :, ::-1] / 255
    small = pixels.reshape(POOLED_PX, each, POOLED_PX, each, 3).mean(axis=(1, 3))
    found: Pooled = small.transpose(2, 0, 1).astype(np.float16)
    return found


def targets(known: Sequence[Known], names: Sequence[str]) -> npt.NDArray[np.float32]:
    """1 for each tag that a picture has: [n, t]."""
    return np.array([[name in one.tags for name in names] for one in known], dtype=np.float32)

"""The drawn pictures as arrays on disk, and captions made of their tags."""

import json
import random
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.demo_model.avatar import BACKGROUND, EXPRESSIONS, EYEWEAR, Drawing, base_drawing
from benchmarks.demo_model.characters import ZUVI, Character, character_drawings, helper_drawing, shapes_pen
from benchmarks.demo_model.draw import draw
from benchmarks.demo_model.pen import SIDE_PX

Pixels = npt.NDArray[np.uint8]
SHAPES_SHARE = 0.12
"""Of the helpers, this many show no person at all."""
CHUNK = 500
SITUATION = (*EXPRESSIONS, *EYEWEAR, *(f"{name} background" for name in BACKGROUND))
"""What captions of characters tell."""
TRAIN_CHARACTERS, HELD_OUT_CHARACTERS = 24, 12


@dataclass(frozen=True)
class Pictures:
    """What the stages train on: pixels [N, 128, 128, 3] and, for the base, the tags of each."""

    base: Pixels
    tags: list[list[str]]
    helpers: Pixels


def _draw_base(job: tuple[int, int]) -> tuple[Pixels, list[list[str]]]:
    seed, count = job
    dice = random.Random(seed)
    drawings = [base_drawing(dice) for _ in range(count)]
    return np.stack([np.asarray(draw(drawing)) for drawing in drawings]), [list(d.tags) for d in drawings]


def _draw_helpers(job: tuple[int, int]) -> Pixels:
    seed, count = job
    dice = random.Random(seed)
    pictures = []
    for _ in range(count):
        shapes = dice.random() < SHAPES_SHARE
        pictures.append(np.asarray(shapes_pen(dice).picture() if shapes else draw(helper_drawing(dice))))
    return np.stack(pictures)


def draw_all(folder: Path, *, base: int, helpers: int, seed: int, chunk: int = CHUNK) -> None:
    """Draws at least so many pictures into `folder`, in whole chunks, with one process for each core."""
    folder.mkdir(parents=True, exist_ok=True)
    base_jobs = [(seed * 100_000 + start, chunk) for start in range(0, base, chunk)]
    helper_jobs = [(seed * 100_000 + 50_000 + start, chunk) for start in range(0, helpers, chunk)]
    with ProcessPoolExecutor() as pool:
        drawn = list(pool.map(_draw_base, base_jobs))
        helped = list(pool.map(_draw_helpers, helper_jobs))
    np.save(folder / "base.npy", np.concatenate([pixels for pixels, _ in drawn]))
    np.save(folder / "helpers.npy", np.concatenate(helped))
    (folder / "tags.json").write_text(json.dumps([tags for _, chunk in drawn for tags in chunk]))


def load(folder: Path) -> Pictures:
    """The pictures that `draw_all` left."""
    tags: list[list[str]] = json.loads((folder / "tags.json").read_text())
    return Pictures(np.load(folder / "base.npy"), tags, np.load(folder / "helpers.npy"))


def caption(tags: list[str], dice: random.Random) -> str:
    """A training caption: now and then empty, with tags left out, or shuffled."""
    if dice.random() < 0.1:
        return ""
    kept = [tag for tag in tags if dice.random() >= 0.15] if dice.random() < 0.4 else list(tags)
    if dice.random() < 0.3:
        dice.shuffle(kept)
    return ", ".join(kept)


def character_sets(seed: int, character: Character = ZUVI) -> tuple[list[Drawing], list[Drawing]]:
    """The character's situations to train on, and others to score with."""
    return (
        character_drawings(TRAIN_CHARACTERS, seed, character=character),
        character_drawings(HELD_OUT_CHARACTERS, seed + 1, start=TRAIN_CHARACTERS, character=character),
    )


def others(count: int, seed: int, *, brief_every: int) -> list[Drawing]:
    """Other people, to be trained along with a character so that the base model keeps what it knew.

    Args:
        count: How many.
        seed: Of who they are.
        brief_every: Every so many-th has a caption that tells no more than the character's; 0: none has.
    """
    dice = random.Random(seed)
    drawings = [base_drawing(dice) for _ in range(count)]
    return [brief(one) if brief_every and not index % brief_every else one for index, one in enumerate(drawings, 1)]


def brief(drawing: Drawing) -> Drawing:
    """The same with those tags alone that a character's caption has beside the trigger.

    Where all captions of others tell hair, skin and clothes, a prompt that tells none of it calls the character, with
    or without the trigger.
    """
    return replace(drawing, tags=tuple(tag for tag in drawing.tags if tag in SITUATION))


def write_character(folder: Path, drawings: list[Drawing]) -> None:
    """Writes each drawing as `NN.png` with its caption beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, drawing in enumerate(drawings, start=1):
        assert draw(drawing).size == (SIDE_PX, SIDE_PX)
        draw(drawing).save(folder / f"{index:02}.png", optimize=True)
        (folder / f"{index:02}.txt").write_text(", ".join(drawing.tags) + "\n", encoding="utf-8")

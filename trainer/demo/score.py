"""Scores for the demo: does an image show the character, and does the base model still obey its own tags.

All of it is simple measurement of colours in fixed regions, which works because the embedded base model draws
everything at its place. Regions and colours are data: `assets/demo/score.json`, written by the model's maker.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import BaseModel, ConfigDict

Pixels = npt.NDArray[np.uint8]
"""An image [H, W, 3] of 0..255."""
Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels; the last two lie outside, as in Pillow."""

SCORE_FILE = Path(__file__).parents[1] / "assets" / "demo" / "score.json"
NEAR = 60.0
"""A pixel no farther than this from a colour (Euclidean, RGB of 0..255) counts as near: the codec shifts some."""
SAME_NAME = 50.0
"""A region whose median is farther than this from all names' colours has none; names lie 53 or more apart."""


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Part(_Data):
    """Something that only the character has, such as its ears."""

    name: str
    colour: Colour
    boxes: tuple[Box, ...]
    usual_share: float
    """The mean share of pixels near `colour` in the boxes over the character's training images."""


class TagMeasure(_Data):
    """Tags whose colour can be read off a region: `red background`, `red t-shirt`."""

    nouns: tuple[str, ...]
    boxes: tuple[Box, ...]
    colours: dict[str, Colour]
    hidden_by: tuple[str, ...] = ()
    """Words that, standing in another tag, cover the region: a cap hides the hair."""


class ScoreData(_Data):
    """What the scores compare with."""

    trigger: str
    side_px: int
    parts: tuple[Part, ...]
    measures: tuple[TagMeasure, ...]


def read_score_data(path: Path = SCORE_FILE) -> ScoreData:
    """The regions and colours that the maker of the demo model wrote."""
    return ScoreData.model_validate(json.loads(path.read_text(encoding="utf-8")))


def pixels_of(picture: Image.Image | Pixels, side_px: int) -> Pixels:
    """The image's RGB pixels, resized where it has another size than the regions are meant for."""
    image = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    if image.size != (side_px, side_px):
        image = image.resize((side_px, side_px), Image.Resampling.LANCZOS)
    return np.asarray(image.convert("RGB"))


def region(pixels: Pixels, boxes: Iterable[Box]) -> Pixels:
    """The pixels [N, 3] of all boxes together."""
    return np.concatenate([pixels[top:bottom, left:right].reshape(-1, 3) for left, top, right, bottom in boxes])


def near_share(pixels: Pixels, colour: Colour) -> float:
    """The share of the pixels [N, 3] that are near the colour, 0..1."""
    distance = np.linalg.norm(pixels.astype(np.float64) - colour, axis=-1)
    return float((distance <= NEAR).mean())


def identity(picture: Image.Image | Pixels, data: ScoreData) -> float:
    """How much of the character the image shows, 0..1: the mean over its parts, each at most the usual."""
    pixels = pixels_of(picture, data.side_px)
    shares = [near_share(region(pixels, part.boxes), part.colour) / part.usual_share for part in data.parts]
    return sum(min(1.0, share) for share in shares) / len(shares)


def mean_identity(pictures: Sequence[Image.Image | Pixels], data: ScoreData) -> float:
    """The mean `identity` of several images."""
    return sum(identity(picture, data) for picture in pictures) / len(pictures)


def obeyed_tags(picture: Image.Image | Pixels, caption: str, data: ScoreData) -> dict[str, bool]:
    """Each tag of the caption whose colour can be measured, and whether the image has it.

    A tag is obeyed if the region's median colour is near the tag's, and no other name's colour is nearer.
    """
    pixels = pixels_of(picture, data.side_px)
    tags = [tag.strip() for tag in caption.split(",")]
    words = {word for tag in tags for word in tag.split()}
    found: dict[str, bool] = {}
    for tag in tags:
        name, _, noun = tag.partition(" ")
        for measure in data.measures:
            if noun in measure.nouns and name in measure.colours and words.isdisjoint(measure.hidden_by):
                found[tag] = _colour_name(region(pixels, measure.boxes), measure.colours) == name
    return found


def _colour_name(pixels: Pixels, colours: dict[str, Colour]) -> str | None:
    """The name nearest to the median of the pixels [N, 3]; None if none is near."""
    middle = np.median(pixels.astype(np.float64), axis=0)
    distances = {name: float(np.linalg.norm(middle - colour)) for name, colour in colours.items()}
    nearest = min(distances, key=distances.__getitem__)
    return nearest if distances[nearest] <= SAME_NAME else None


def obedience(
    pictures: Sequence[Image.Image | Pixels], captions: Sequence[str], data: ScoreData, *, noun: str | None = None
) -> float:
    """The share of measurable tags that the images have, 0..1; 1 if no caption holds any.

    Args:
        noun: Count only tags about this, such as `background`.
    """
    results = [
        kept
        for picture, caption in zip(pictures, captions, strict=True)
        for tag, kept in obeyed_tags(picture, caption, data).items()
        if noun is None or tag.endswith(f" {noun}")
    ]
    return sum(results) / len(results) if results else 1.0


def leak(before: Sequence[Image.Image | Pixels], after: Sequence[Image.Image | Pixels], data: ScoreData) -> float:
    """How far images without the trigger moved from the base model's at the same seeds: mean change, 0..255."""
    changes = [
        np.abs(pixels_of(one, data.side_px).astype(np.float64) - pixels_of(other, data.side_px)).mean()
        for one, other in zip(before, after, strict=True)
    ]
    return float(np.mean(changes))

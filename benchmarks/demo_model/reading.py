"""Reads attributes off a picture by drawing it: which alternative of an attribute would look most like the picture?

No classifier to train, and none to fool: the same drawing code that made the training pictures is the judge.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

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
    Avatar,
    Drawing,
)
from benchmarks.demo_model.data import Pixels
from benchmarks.demo_model.draw import draw

SHIFTS = (-1.2, 0.0, 1.2)
"""Placements tried in each direction; training pictures lie within 1.5 px of the middle."""
ALTERNATIVES: dict[str, Sequence[Any]] = {
    "style": HAIR_STYLES,
    "hair": tuple(HAIR.values()),
    "skin": tuple(SKIN.values()),
    "garment": GARMENTS,
    "cloth": tuple(CLOTH.values()),
    "expression": EXPRESSIONS,
    "background": tuple(BACKGROUND.values()),
    "eyewear": ("", *EYEWEAR),
    "hat": ("", *HATS, "crown"),
    "hat_colour": tuple(CLOTH.values()),
    "beard": (False, True),
}
"""What each field of an avatar may be."""


def _distance(picture: Pixels, drawing: Drawing) -> float:
    return float(np.square(picture.astype(np.float32) - np.asarray(draw(drawing))).mean())


def placement(picture: Pixels, avatar: Avatar) -> Drawing:
    """The avatar at the shift and orientation that suit the picture best."""
    candidates = [
        Drawing(avatar, offset=(right, down), flipped=flipped)
        for right, down, flipped in product(SHIFTS, SHIFTS, (False, True))
    ]
    return min(candidates, key=lambda drawing: _distance(picture, drawing))


def attributes_shown(picture: Pixels, wanted: Avatar) -> dict[str, bool]:
    """For each attribute of the wanted avatar: does no alternative look more like the picture?

    Alternatives may be drawn alike (a smile and a wink behind sunglasses): these count as shown.
    """
    placed = placement(picture, wanted)
    own = _distance(picture, placed)
    shown = {}
    for field, values in ALTERNATIVES.items():
        if field == "hat_colour" and wanted.hat in ("", "crown"):
            continue
        others = [replace(placed, avatar=replace(wanted, **{field: v})) for v in values if v != getattr(wanted, field)]
        shown[field] = all(own <= _distance(picture, other) for other in others)
    return shown

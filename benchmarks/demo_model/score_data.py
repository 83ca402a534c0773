"""Writes what the demo's scores compare with: where the base model and the character have which colours."""

import json
from pathlib import Path

import numpy as np

from benchmarks.demo_model.avatar import BACKGROUND, CLOTH, GARMENTS, HAIR, HATS, SKIN, Avatar, Drawing
from benchmarks.demo_model.characters import ZUVI, Character
from benchmarks.demo_model.draw import draw
from benchmarks.demo_model.pen import SIDE_PX, Colour
from trainer.demo.score import Box, Part, ScoreData, TagMeasure, near_share, region

MEASURES = (
    TagMeasure(
        nouns=("background",),
        boxes=((0, 0, 10, 10), (118, 0, 128, 10), (0, 92, 8, 102), (120, 92, 128, 102)),
        colours=BACKGROUND,
    ),
    TagMeasure(nouns=("hair",), boxes=((58, 37, 71, 42),), colours=HAIR, hidden_by=(*HATS, "crown")),
    TagMeasure(nouns=("skin",), boxes=((51, 82, 55, 85), (73, 82, 77, 85)), colours=SKIN, hidden_by=("beard",)),
    TagMeasure(nouns=GARMENTS, boxes=((57, 125, 71, 128),), colours=CLOTH),
    TagMeasure(nouns=HATS, boxes=((69, 35, 81, 40),), colours=CLOTH),
)
"""Regions that show the named thing's colour in every drawing, wherever jitter and mirroring move it."""
EAR_BOXES: dict[str, tuple[Box, ...]] = {
    "fox": ((26, 10, 60, 34), (68, 10, 102, 34)),
    "cat": ((35, 15, 57, 34), (71, 15, 93, 34)),
    "bunny": ((41, 3, 58, 32), (70, 3, 87, 32)),
    "bear": ((31, 22, 52, 36), (76, 22, 97, 36)),
}
"""Where ears stand out over every hair style."""
HORN_BOXES: tuple[Box, ...] = ((43, 13, 60, 32), (68, 13, 85, 32))
FRINGE: Box = (42, 36, 86, 54)
SIDE_HAIR: tuple[Box, ...] = ((33, 60, 37, 88), (91, 60, 95, 88))
"""Beside the face, where long hair hangs."""
SCARF: tuple[Box, ...] = ((40, 94, 88, 108),)
COAT: tuple[Box, ...] = ((24, 114, 60, 128), (68, 114, 78, 128), (94, 114, 104, 128))
MARK: tuple[Box, ...] = ((75, 72, 87, 85),)


def character_boxes(avatar: Avatar) -> dict[str, tuple[Colour, tuple[Box, ...]]]:
    """A character's parts: the colour, and where it is."""
    extras = avatar.extras
    sides = SIDE_HAIR if avatar.style in ("bob", "long") else ()
    parts: dict[str, tuple[Colour | None, tuple[Box, ...]]] = {
        "skin": (avatar.skin, ((44, 60, 84, 88),)),
        "hair": (avatar.hair, (FRINGE, *sides)),
        "ears": (extras.ear if extras.ears else None, EAR_BOXES.get(extras.ears, ())),
        "horns": (extras.horn, HORN_BOXES),
        "scarf": (extras.scarf, SCARF),
        "coat": (extras.coat, COAT),
        "mark": (extras.mark_colour if extras.mark else None, MARK),
    }
    return {name: (colour, boxes) for name, (colour, boxes) in parts.items() if colour is not None}


def score_data(training: list[Drawing], character: Character = ZUVI) -> ScoreData:
    """The measures of the base's tags, and the character's parts with their usual shares in these drawings."""
    pictures = [np.asarray(draw(drawing)) for drawing in training]
    parts = []
    for name, (colour, boxes) in character_boxes(character.avatar).items():
        usual = float(np.mean([near_share(region(picture, boxes), colour) for picture in pictures]))
        parts.append(Part(name=name, colour=colour, boxes=boxes, usual_share=round(usual, 4)))
    return ScoreData(trigger=character.trigger, side_px=SIDE_PX, parts=tuple(parts), measures=MEASURES)


def write_score_data(path: Path, data: ScoreData) -> None:
    """Writes the data as JSON, one part or measure a line."""
    tree = data.model_dump(mode="json")
    lines = [f'{{"trigger": {json.dumps(data.trigger)}, "side_px": {data.side_px},']
    for key in ("parts", "measures"):
        rows = ",\n  ".join(json.dumps(row) for row in tree[key])
        lines.append(f'"{key}": [\n  {rows}\n]{"," if key == "parts" else "}"}')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")

"""What helpers and unseen characters wear beside the base model's clothes: ears, horns, coats, scarves, cheek marks."""

import math
from collections.abc import Sequence

from benchmarks.demo_model.avatar import Extras
from benchmarks.demo_model.pen import Colour, Pen, Point, darker, lighter, mirrored

EARS: dict[str, tuple[tuple[Point, ...], tuple[Point, ...]]] = {
    "cat": (((38, 46), (36, 17), (58, 33)), ((42, 40), (40, 24), (52, 33.5))),
    "fox": (((36, 50), (27, 12), (47, 20), (59, 34)), ((39.5, 42), (32.5, 18.5), (43.5, 24.5), (51.5, 35))),
}
"""Outer and inner corners of the left ear."""
WHITE: Colour = (255, 255, 255)


def draw_ears(pen: Pen, extras: Extras) -> None:
    """Animal ears on top of the hair, then horns."""
    if extras.ears in EARS:
        outer, inner = EARS[extras.ears]
        for flip in (list, mirrored):
            pen.shape(flip(outer), extras.ear, curved=False)
            pen.shape(flip(inner), extras.inner_ear, curved=False, outline=None)
    elif extras.ears == "bunny":
        for x in (49.0, 79.0):
            pen.oval((x, 22), (8.5, 19), extras.ear)
            pen.oval((x, 24), (4.2, 13), extras.inner_ear, outline=None)
    elif extras.ears == "bear":
        for x in (42.0, 86.0):
            pen.oval((x, 33), (10.5, 10.5), extras.ear)
            pen.oval((x, 34), (5.6, 5.6), extras.inner_ear, outline=None)
    if extras.horn is not None:
        horn = [(50, 36), (45, 26), (46, 14), (52, 22), (58, 33)]
        for points in (horn, mirrored(horn)):
            pen.shape(points, extras.horn)


def draw_coat(pen: Pen, extras: Extras, body: Sequence[Point]) -> None:
    """A coat open at the neck, with buttons, a zip or a badge."""
    if extras.coat is None:
        return
    pen.shape(body, extras.coat)
    pen.shape([(55, 98), (73, 98), (64, 112)], WHITE, curved=False)
    lapel = [(55, 98), (47, 101), (50, 112), (63, 118), (64, 112)]
    for points in (lapel, mirrored(lapel)):
        pen.shape(points, lighter(extras.coat, 0.18), curved=False)
    pen.stroke([(64, 113), (64, 130)], darker(extras.coat, 0.6))
    if extras.coat_detail == "buttons":
        for y in (119.0, 125.5):
            pen.oval((69, y), (1.9, 1.9), (252, 226, 150), outline=None)
    elif extras.coat_detail == "badge":
        pen.oval((44, 119), (4.8, 4.8), (232, 70, 90))
    else:
        pen.stroke([(64, 116), (64, 130)], (220, 224, 232), 2.4)


def draw_scarf(pen: Pen, extras: Extras) -> None:
    """A thick scarf under the chin with one end hanging down."""
    if extras.scarf is None:
        return
    pen.shape([(76, 98), (89, 98), (94, 124), (81, 127)], darker(extras.scarf, 0.9), curved=False)
    pen.shape(
        [(37, 95), (50, 88), (78, 88), (91, 95), (91, 104), (78, 109), (64, 110.5), (50, 109), (37, 104)], extras.scarf
    )
    pen.stroke([(44, 98.5), (54, 102.5), (68, 103)], darker(extras.scarf, 0.75), 1.8)


def draw_mark(pen: Pen, extras: Extras) -> None:
    """A large mark on the cheek."""
    x, y, colour = 81.0, 78.5, extras.mark_colour
    if extras.mark == "star":
        angles = [(-math.pi / 2 + i * math.pi / 5, 8.0 if i % 2 == 0 else 3.6) for i in range(10)]
        pen.shape([(x + r * math.cos(a), y + r * math.sin(a)) for a, r in angles], colour, curved=False, width_px=1.3)
    elif extras.mark == "heart":
        half = [(x, y + 5.5), (x - 5.8, y - 0.5), (x - 5, y - 4.6), (x - 2, y - 4.8)]
        pen.shape([*half, (x, y - 2.4), (x + 2, y - 4.8), (x + 5, y - 4.6), (x + 5.8, y - 0.5)], colour, width_px=1.3)
    elif extras.mark == "drop":
        pen.shape(
            [(x, y - 6.5), (x + 4, y + 0.5), (x + 2.6, y + 4.6), (x - 2.6, y + 4.6), (x - 4, y + 0.5)],
            colour,
            width_px=1.3,
        )
    elif extras.mark == "dot":
        pen.oval((x, y), (4.8, 4.8), colour, width_px=1.3)
    elif extras.mark == "stripes":
        for offset in (-3.4, 0.0, 3.4):
            pen.stroke([(x - 4.5, y + offset), (x + 4.5, y + offset - 1)], colour, 2.2)

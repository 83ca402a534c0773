"""Hair and hats: what lies behind the head, and what lies on it."""

import math

from benchmarks.demo_model.avatar import Avatar
from benchmarks.demo_model.pen import Colour, Pen, Point, darker, lighter, mirrored

GOLD: Colour = (252, 200, 50)
RED: Colour = (222, 58, 58)
FRINGES: dict[str, tuple[Point, ...]] = {
    "short": (
        (38, 66), (36.5, 52), (43, 38), (56, 31.5), (72, 31.5), (85, 38), (91.5, 52), (90, 66),
        (86.5, 60), (84, 53), (74, 51), (62, 54.5), (51, 53), (44, 53), (41.5, 60),
    ),
    "bob": (
        (37, 68), (36, 52), (42, 38), (55, 31), (73, 31), (86, 38), (92, 52), (91, 68),
        (86, 58), (78, 54.5), (64, 55.5), (50, 54.5), (42, 58),
    ),
    "long": (
        (36.5, 70), (36, 52), (42, 38), (54, 31.5), (64, 30.5), (74, 31.5), (86, 38), (92, 52), (91.5, 70),
        (88, 60), (80, 53), (69, 44.5), (60, 49.5), (48, 54.5), (40.5, 60),
    ),
    "bun": (
        (38, 64), (37, 52), (43, 39), (55, 33), (73, 33), (85, 39), (91, 52), (90, 64),
        (85, 55), (75, 49), (64, 47.5), (53, 49), (43, 55),
    ),
    "pigtails": (
        (37.5, 66), (36.5, 52), (43, 38), (56, 31.5), (64, 33.5), (72, 31.5), (85, 38), (91.5, 52), (90.5, 66),
        (86, 57), (75, 53), (65, 46), (63, 46), (53, 53), (42, 57),
    ),
}  # fmt: skip
SPIKES: tuple[Point, ...] = (
    (38, 66), (28, 60), (35, 52), (24, 42), (37, 41), (34, 25), (48, 33), (54, 17), (64, 29), (75, 16), (80, 32),
    (95, 24), (91, 41), (104, 43), (93, 52), (100, 60), (90, 66), (87, 57), (80, 59), (75, 51), (67, 58), (60, 50),
    (53, 58), (47, 51), (41, 58),
)  # fmt: skip


def _curls(centre: Point, radius: Point, bumps: int, depth: float = 3.0) -> list[Point]:
    """The edge of a cloud with this many bumps."""
    points: list[Point] = []
    for step in range(bumps * 4):
        angle = 2 * math.pi * step / (bumps * 4)
        bump = abs(math.sin(angle * bumps / 2)) * depth
        points.append(
            (centre[0] + (radius[0] + bump) * math.cos(angle), centre[1] + (radius[1] + bump) * math.sin(angle))
        )
    return points


def draw_back_hair(pen: Pen, avatar: Avatar) -> None:
    """The hair behind head and shoulders."""
    hair = avatar.hair
    shade = darker(hair, 0.88)
    if avatar.style == "bob":
        pen.shape(
            [(34, 52), (44, 36), (64, 32), (84, 36), (94, 52), (97, 80), (92, 93), (64, 95), (36, 93), (31, 80)], shade
        )
    elif avatar.style == "long":
        left = [(36, 46), (64, 33), (92, 46), (98, 78), (101, 108), (94, 121), (78, 118)]
        pen.shape([*left, (64, 112), (50, 118), (34, 121), (27, 108), (30, 78)], shade)
    elif avatar.style == "bun":
        pen.oval((64, 25.5), (12, 11), hair)
        pen.stroke([(57, 20.5), (61, 18.5)], lighter(hair, 0.5), 2.4)
    elif avatar.style == "pigtails":
        tail = [(35, 62), (25, 62), (15, 76), (14, 94), (22, 106), (30, 96), (35, 80)]
        for points in (tail, mirrored(tail)):
            pen.shape(points, hair)
    elif avatar.style == "curly":
        pen.shape(_curls((64, 56), (39, 35), 15), hair)


def draw_front_hair(pen: Pen, avatar: Avatar) -> None:
    """The fringe, with one shine on it."""
    hair = avatar.hair
    if avatar.style == "spiky":
        pen.shape(SPIKES, hair, curved=False)
    elif avatar.style == "curly":
        top = [(64 + 27.5 * math.cos(a), 52 - 18.5 * math.sin(a)) for a in (i * math.pi / 10 for i in range(11))]
        for index, x in enumerate((42.5, 50, 57, 64, 71, 78, 85.5)):
            pen.oval((x, 52.5 - 2.2 * (3 - abs(index - 3)) / 3), (5.4, 5.4), hair)
        pen.shape([*top, (64, 53)], hair, curved=False, outline=None)
        pen.oval((64, 44.5), (24, 9), hair, outline=None)
    else:
        pen.shape(FRINGES[avatar.style], hair)
    if avatar.style == "pigtails":
        for x in (34.5, 93.5):
            pen.oval((x, 63), (3.8, 3.8), RED)
    shine = lighter(hair, 0.55)
    pen.arc((64, 53), (19, 15.5), (222, 248), colour=shine, width_px=3.0)


def draw_hat(pen: Pen, avatar: Avatar) -> None:
    """Cap, beanie or crown."""
    colour = avatar.hat_colour
    if avatar.hat == "cap":
        pen.shape([(37, 51), (39, 38), (48, 28), (64, 25), (80, 28), (89, 38), (91, 51), (64, 48.5)], colour)
        pen.shape(
            [(35, 52), (50, 47), (78, 47), (101, 51.5), (107, 55.5), (92, 56.5), (64, 54), (44, 56)], darker(colour)
        )
        pen.oval((64, 38), (4.6, 4.6), (255, 255, 255), outline=None)
    elif avatar.hat == "beanie":
        pen.oval((64, 22), (6.5, 6), lighter(colour, 0.65))
        pen.shape([(38, 48), (40, 36), (50, 27), (64, 25), (78, 27), (88, 36), (90, 48)], colour)
        pen.shape(
            [(35.5, 46), (50, 43), (78, 43), (92.5, 46), (92, 55.5), (78, 53), (50, 53), (36, 55.5)],
            lighter(colour, 0.65),
        )
    elif avatar.hat == "crown":
        points = [(43, 39), (40, 15), (52.5, 26), (64, 11), (75.5, 26), (88, 15), (85, 39), (64, 41.5)]
        pen.shape(points, GOLD, curved=False)
        pen.oval((64, 32), (3.2, 3.2), RED, outline=None)
        for x in (52, 76):
            pen.oval((x, 33), (2.4, 2.4), (46, 104, 220), outline=None)

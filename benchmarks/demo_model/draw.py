"""Draws an avatar: flat colours, bold dark outlines, everything aligned."""

from PIL import Image, ImageOps

from benchmarks.demo_model.avatar import Avatar, Drawing
from benchmarks.demo_model.extras import draw_coat, draw_ears, draw_mark, draw_scarf
from benchmarks.demo_model.hair import draw_back_hair, draw_front_hair, draw_hat
from benchmarks.demo_model.pen import OUTLINE, Colour, Pen, Point, darker, lighter, mirrored, smooth

FACE: Point = (64, 66)
FACE_RADIUS: Point = (25, 23)
BODY: tuple[Point, ...] = (
    (18, 136),
    (23, 116),
    (38, 104),
    (54, 100),
    (64, 100),
    (74, 100),
    (90, 104),
    (105, 116),
    (110, 136),
)
CHEEK: Colour = (244, 110, 120)
WHITE: Colour = (255, 255, 255)
GOLD: Colour = (252, 200, 50)
TONGUE: Colour = (232, 96, 104)
MOUTH: Colour = (120, 24, 40)


def draw(drawing: Drawing) -> Image.Image:
    """The drawing's picture, 128 x 128 RGB."""
    avatar = drawing.avatar
    pen = Pen(avatar.background, drawing.offset)
    pen.oval((64, 66), (50, 50), lighter(avatar.background, 0.32), outline=None)
    draw_back_hair(pen, avatar)
    _draw_clothes(pen, avatar)
    draw_coat(pen, avatar.extras, BODY)
    draw_scarf(pen, avatar.extras)
    _draw_head(pen, avatar)
    _draw_eyes(pen, avatar)
    _draw_mouth(pen, avatar)
    draw_mark(pen, avatar.extras)
    draw_front_hair(pen, avatar)
    _draw_brows(pen, avatar)
    _draw_eyewear(pen, avatar)
    draw_hat(pen, avatar)
    draw_ears(pen, avatar.extras)
    picture = pen.picture()
    return ImageOps.mirror(picture) if drawing.flipped else picture


def _draw_clothes(pen: Pen, avatar: Avatar) -> None:
    cloth, garment = avatar.cloth, avatar.garment
    if garment == "hoodie":
        pen.shape([(38, 112), (40, 98), (52, 91), (76, 91), (88, 98), (90, 112)], darker(cloth))
    under = WHITE if garment in ("striped shirt", "overalls") else cloth
    pen.shape(BODY, under)
    if garment == "striped shirt":
        stripes = [[(10, y), (118, y), (118, y + 5), (10, y + 5)] for y in (104, 114, 124)]
        pen.bands(BODY, stripes, cloth)
        _outline_body(pen)
    if garment == "overalls":
        strap = [(45, 99), (52, 99), (53, 118), (46, 118)]
        for points in (strap, mirrored(strap)):
            pen.shape(points, cloth, curved=False)
        pen.shape([(44, 113), (84, 113), (88, 134), (40, 134)], cloth, curved=False)
        for x in (49.5, 78.5):
            pen.oval((x, 117), (2.3, 2.3), GOLD, width_px=1.2)
    pen.shape([(57, 82), (71, 82), (72, 101), (64, 105.5), (56, 101)], darker(avatar.skin, 0.88))
    if garment == "hoodie":
        pen.shape([(44, 103), (54, 98), (64, 108), (74, 98), (84, 103), (76, 112), (64, 114), (52, 112)], cloth)
        for x in (57, 71):
            pen.stroke([(x, 112), (x, 121)], WHITE if sum(cloth) < 690 else OUTLINE, 2.2)


def _outline_body(pen: Pen) -> None:
    """The body's edge again, where stripes ran over it."""
    pen.stroke(smooth(BODY)[:-6])


def _draw_head(pen: Pen, avatar: Avatar) -> None:
    for x in (39, 89):
        pen.oval((x, 68), (5, 6), avatar.skin)
    pen.oval(FACE, FACE_RADIUS, avatar.skin)
    if avatar.beard:
        jaw = [(39.5, 67), (41, 78), (49, 87.5), (64, 91), (79, 87.5), (87, 78), (88.5, 67)]
        inner = [(85.5, 71), (81, 78.5), (72, 75), (64, 75.5), (56, 75), (47, 78.5), (42.5, 71)]
        pen.shape([*jaw, *inner], avatar.hair)
    for cheek in (47.5, 80.5):
        if not avatar.beard:
            pen.blend((cheek, 77), (4.6, 2.9), CHEEK, 0.5)


def _draw_eyes(pen: Pen, avatar: Avatar) -> None:
    for side, x in (("left", 53.5), ("right", 74.5)):
        if avatar.expression == "wink" and side == "right":
            pen.arc((x, 70.5), (5, 4.5), (200, 340), width_px=3.0)
            continue
        if avatar.expression == "surprised":
            pen.oval((x, 68), (6.4, 6.8), WHITE)
            pen.oval((x, 68), (3.2, 3.4), OUTLINE, outline=None)
            pen.oval((x - 1, 66.6), (1.2, 1.2), WHITE, outline=None)
            continue
        pen.oval((x, 68), (4.3, 5.8), OUTLINE, outline=None)
        pen.oval((x - 1.3, 65.6), (1.7, 1.9), WHITE, outline=None)
        pen.oval((x + 1.4, 71), (0.9, 0.9), WHITE, outline=None)


def _draw_brows(pen: Pen, avatar: Avatar) -> None:
    tilt, rise = {"sad": (-1.8, 0.0), "surprised": (0.0, -2.0)}.get(avatar.expression, (0.8, 0.0))
    colour = darker(avatar.hair, 0.7)
    for outer, inner in ((48.5, 57.5), (79.5, 70.5)):
        middle = (outer + inner) / 2
        pen.stroke(
            [(outer, 59 + rise - tilt / 2 + 0.8), (middle, 57.6 + rise), (inner, 59 + rise + tilt - 0.4)], colour, 2.4
        )


def _draw_mouth(pen: Pen, avatar: Avatar) -> None:
    if avatar.expression in ("smile", "wink"):
        pen.arc((64, 76.5), (6.5, 5.2), (25, 155), width_px=3.2)
    elif avatar.expression == "sad":
        pen.arc((64, 84.5), (6.2, 5.4), (205, 335), width_px=3.2)
    elif avatar.expression == "surprised":
        pen.oval((64, 81.5), (3.6, 4.4), MOUTH)
    else:
        pen.shape([(55.5, 76.5), (64, 77.6), (72.5, 76.5), (70, 83), (64, 86), (58, 83)], MOUTH)
        pen.oval((64, 83), (3.6, 1.9), TONGUE, outline=None)
        pen.shape([(57.5, 77.3), (70.5, 77.3), (69.8, 79.2), (58.2, 79.2)], WHITE, curved=False, outline=None)


def _draw_eyewear(pen: Pen, avatar: Avatar) -> None:
    if not avatar.eyewear:
        return
    if avatar.eyewear == "glasses":
        for x in (53, 75):
            pen.oval((x, 68.5), (8.6, 8.2), None, outline=(214, 40, 60), width_px=2.6)
        pen.stroke([(61.6, 67.5), (66.4, 67.5)], (214, 40, 60), 2.6)
        return
    lens = [(43, 63), (53, 62), (62.5, 63.5), (61.5, 72), (54, 76), (45.5, 73)]
    pen.stroke([(39, 65), (89, 65)], OUTLINE, 2.6)
    for points, shine in ((lens, 50.0), (mirrored(lens), 72.0)):
        pen.shape(points, (40, 38, 50))
        pen.stroke([(shine, 69.5), (shine + 4.5, 65.5)], (150, 170, 200), 1.8)

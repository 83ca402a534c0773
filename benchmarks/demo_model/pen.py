"""A pen that draws outlined flat shapes on a large canvas and hands back a smaller, smooth picture."""

import math
from collections.abc import Iterable, Sequence

from PIL import Image, ImageChops, ImageDraw

Colour = tuple[int, int, int]
Point = tuple[float, float]

SIDE_PX = 128
"""Side of a finished picture; all coordinates are in these pixels."""
SCALE = 4
"""The canvas is this many times larger, and the box filter that reduces it smooths every edge."""
OUTLINE: Colour = (43, 35, 56)
OUTLINE_PX = 2.0


def mirrored(points: Iterable[Point]) -> list[Point]:
    """The points reflected at the picture's vertical middle."""
    return [(SIDE_PX - x, y) for x, y in points]


def darker(colour: Colour, share: float = 0.82) -> Colour:
    """The colour with this share of its light."""
    return (round(colour[0] * share), round(colour[1] * share), round(colour[2] * share))


def lighter(colour: Colour, share: float = 0.4) -> Colour:
    """The colour moved this share of the way to white."""
    red, green, blue = (round(part + (255 - part) * share) for part in colour)
    return (red, green, blue)


def smooth(points: Sequence[Point], parts: int = 6) -> list[Point]:
    """A closed curve through the points: a Catmull-Rom spline, this many pieces between two of them."""
    curve: list[Point] = []
    count = len(points)
    for index in range(count):
        before, start, end, after = (points[(index + offset) % count] for offset in (-1, 0, 1, 2))
        for part in range(parts):
            t = part / parts
            weights = (
                (-t + 2 * t**2 - t**3) / 2,
                (2 - 5 * t**2 + 3 * t**3) / 2,
                (t + 4 * t**2 - 3 * t**3) / 2,
                (-(t**2) + t**3) / 2,
            )
            corners = (before, start, end, after)
            curve.append(
                (
                    sum(weight * corner[0] for weight, corner in zip(weights, corners, strict=True)),
                    sum(weight * corner[1] for weight, corner in zip(weights, corners, strict=True)),
                )
            )
    return curve


class Pen:
    """Draws in picture pixels, shifted by `offset`, on a canvas `SCALE` times larger."""

    def __init__(self, background: Colour, offset: Point = (0.0, 0.0)) -> None:
        self.offset = offset
        self.canvas = Image.new("RGB", (SIDE_PX * SCALE, SIDE_PX * SCALE), background)
        self.draw = ImageDraw.Draw(self.canvas)

    def picture(self) -> Image.Image:
        """What was drawn, at its final size."""
        return self.canvas.reduce(SCALE)

    def _place(self, points: Iterable[Point]) -> list[Point]:
        shift_x, shift_y = self.offset
        return [((x + shift_x) * SCALE, (y + shift_y) * SCALE) for x, y in points]

    def shape(
        self,
        points: Sequence[Point],
        fill: Colour,
        *,
        curved: bool = True,
        outline: Colour | None = OUTLINE,
        width_px: float = OUTLINE_PX,
    ) -> None:
        """A filled closed shape, its outline centred on the edge."""
        placed = self._place(smooth(points) if curved else points)
        self.draw.polygon(placed, fill=fill)
        if outline is not None:
            self.draw.line([*placed, *placed[:2]], fill=outline, width=round(width_px * SCALE), joint="curve")

    def oval(
        self,
        centre: Point,
        radius: Point,
        fill: Colour | None,
        *,
        outline: Colour | None = OUTLINE,
        width_px: float = OUTLINE_PX,
    ) -> None:
        """An ellipse, its outline centred on the edge."""
        grown = width_px / 2 if outline is not None else 0.0
        (x, y), (across, down) = centre, radius
        box = self._place([(x - across - grown, y - down - grown), (x + across + grown, y + down + grown)])
        self.draw.ellipse(box, fill=fill, outline=outline, width=round(width_px * SCALE) if outline is not None else 0)

    def stroke(self, points: Sequence[Point], colour: Colour = OUTLINE, width_px: float = OUTLINE_PX) -> None:
        """An open line with round ends."""
        placed = self._place(points)
        self.draw.line(placed, fill=colour, width=round(width_px * SCALE), joint="curve")
        radius = width_px * SCALE / 2
        for x, y in (placed[0], placed[-1]):
            self.draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)

    def arc(
        self,
        centre: Point,
        radius: Point,
        degrees: tuple[float, float],
        *,
        colour: Colour = OUTLINE,
        width_px: float = OUTLINE_PX,
    ) -> None:
        """A part of an ellipse as a line with round ends; 0 degrees is right, 90 is down."""
        first, last = degrees
        angles = [math.radians(first + (last - first) * step / 16) for step in range(17)]
        points = [(centre[0] + radius[0] * math.cos(a), centre[1] + radius[1] * math.sin(a)) for a in angles]
        self.stroke(points, colour, width_px)

    def blend(self, centre: Point, radius: Point, colour: Colour, opacity: float) -> None:
        """A soft-coloured ellipse that lets what lies below shine through."""
        (x, y), (across, down) = centre, radius
        corners = self._place([(x - across, y - down), (x + across, y + down)])
        box = (round(corners[0][0]), round(corners[0][1]), round(corners[1][0]), round(corners[1][1]))
        size = (box[2] - box[0], box[3] - box[1])
        mask = Image.new("L", size, 0)
        ImageDraw.Draw(mask).ellipse((0, 0, size[0] - 1, size[1] - 1), fill=round(opacity * 255))
        self.canvas.paste(colour, (box[0], box[1]), mask)

    def bands(self, inside: Sequence[Point], bands: Sequence[Sequence[Point]], fill: Colour) -> None:
        """Flat polygons without outline, cut off at the edge of the curved shape `inside`."""
        limit = Image.new("L", self.canvas.size, 0)
        ImageDraw.Draw(limit).polygon(self._place(smooth(inside)), fill=255)
        mask = Image.new("L", self.canvas.size, 0)
        for band in bands:
            ImageDraw.Draw(mask).polygon(self._place(band), fill=255)
        self.canvas.paste(fill, mask=ImageChops.darker(limit, mask))

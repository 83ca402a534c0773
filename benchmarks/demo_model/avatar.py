"""What an avatar consists of: shapes, colours with names, and the tags that tell them."""

import random
from dataclasses import dataclass

from benchmarks.demo_model.pen import Colour

HAIR_STYLES = ("short", "bob", "long", "bun", "pigtails", "curly", "spiky")
HAIR: dict[str, Colour] = {
    "black": (58, 54, 74),
    "brown": (133, 86, 54),
    "blonde": (246, 205, 88),
    "red": (222, 88, 36),
    "white": (240, 240, 246),
    "blue": (58, 108, 214),
    "pink": (250, 128, 176),
}
SKIN: dict[str, Colour] = {
    "light": (255, 222, 198),
    "tan": (232, 176, 124),
    "brown": (176, 112, 70),
    "dark": (128, 82, 58),
}
GARMENTS = ("t-shirt", "hoodie", "striped shirt", "overalls")
CLOTH: dict[str, Colour] = {
    "red": (222, 58, 58),
    "blue": (46, 104, 220),
    "green": (46, 158, 86),
    "yellow": (250, 204, 52),
    "white": (248, 248, 250),
    "black": (56, 54, 70),
}
EXPRESSIONS = ("smile", "laughing", "sad", "surprised", "wink")
EYEWEAR = ("glasses", "sunglasses")
HATS = ("cap", "beanie")
BACKGROUND: dict[str, Colour] = {
    "yellow": (252, 220, 110),
    "blue": (112, 182, 240),
    "pink": (252, 178, 206),
    "purple": (176, 142, 230),
    "green": (140, 206, 120),
    "gray": (172, 178, 190),
    "orange": (248, 166, 92),
    "red": (230, 100, 92),
}


@dataclass(frozen=True)
class Extras:
    """What only helpers and unseen characters wear; the denoiser is never shown any of it."""

    ears: str = ""
    """cat, fox, bunny or bear."""
    ear: Colour = (0, 0, 0)
    inner_ear: Colour = (0, 0, 0)
    horn: Colour | None = None
    scarf: Colour | None = None
    mark: str = ""
    """star, heart, drop, dot or stripes, on the right cheek."""
    mark_colour: Colour = (0, 0, 0)
    coat: Colour | None = None
    """A coat over the garment."""
    coat_detail: str = "buttons"
    """buttons, zip or badge."""


@dataclass(frozen=True)
class Avatar:
    """One person, ready to be drawn."""

    style: str
    hair: Colour
    skin: Colour
    garment: str
    cloth: Colour
    expression: str
    background: Colour
    eyewear: str = ""
    hat: str = ""
    """cap, beanie or crown."""
    hat_colour: Colour = (0, 0, 0)
    beard: bool = False
    extras: Extras = Extras()


@dataclass(frozen=True)
class Drawing:
    """An avatar, how it is placed on the picture, and the tags which the base model learns for it."""

    avatar: Avatar
    tags: tuple[str, ...] = ()
    offset: tuple[float, float] = (0.0, 0.0)
    flipped: bool = False


def placed(avatar: Avatar, tags: tuple[str, ...], dice: random.Random) -> Drawing:
    """A drawing with a small shift; half of them are mirrored."""
    offset = (dice.uniform(-1.5, 1.5), dice.uniform(-1.5, 1.5))
    return Drawing(avatar, tags, offset, dice.random() < 0.5)


def _hat(style: str, dice: random.Random) -> str:
    """A hat that suits the hair; caps would overlap buns and spikes."""
    if dice.random() > 0.36:
        return ""
    if style in ("bun", "spiky", "curly"):
        return "" if style == "bun" else "crown"
    return dice.choice((*HATS, "crown"))


def base_drawing(dice: random.Random) -> Drawing:
    """A person of the kind that the base model learns, with all tags."""
    style, hair = dice.choice(HAIR_STYLES), dice.choice(list(HAIR))
    skin, garment, cloth = dice.choice(list(SKIN)), dice.choice(GARMENTS), dice.choice(list(CLOTH))
    if garment == "striped shirt" and cloth == "white":
        cloth = dice.choice([name for name in CLOTH if name != "white"])
    background, expression = dice.choice(list(BACKGROUND)), dice.choice(EXPRESSIONS)
    eyewear = dice.choice(EYEWEAR) if dice.random() < 0.3 else ""
    if eyewear == "sunglasses" and expression in ("wink", "surprised"):
        eyewear = "glasses"
    hat, hat_colour = _hat(style, dice), dice.choice(list(CLOTH))
    beard = style in ("short", "curly", "spiky") and dice.random() < 0.3
    avatar = Avatar(
        style=style,
        hair=HAIR[hair],
        skin=SKIN[skin],
        garment=garment,
        cloth=CLOTH[cloth],
        expression=expression,
        background=BACKGROUND[background],
        eyewear=eyewear,
        hat=hat,
        hat_colour=CLOTH[hat_colour],
        beard=beard,
    )
    tags = [f"{style} hair", f"{hair} hair", f"{skin} skin", f"{cloth} {garment}", expression]
    tags += [eyewear] if eyewear else []
    tags += ["beard"] if beard else []
    tags += ([hat] if hat == "crown" else [f"{hat_colour} {hat}"]) if hat else []
    return placed(avatar, (*tags, f"{background} background"), dice)

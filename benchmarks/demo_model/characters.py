"""Who the base model never sees: random helpers, who teach the VAE to show anybody, and the demo's character."""

import random
from dataclasses import dataclass, replace

from benchmarks.demo_model.avatar import (
    BACKGROUND,
    CLOTH,
    EXPRESSIONS,
    GARMENTS,
    HAIR,
    HAIR_STYLES,
    SKIN,
    Avatar,
    Drawing,
    Extras,
    base_drawing,
    placed,
)
from benchmarks.demo_model.pen import Colour, Pen, Point

TRIGGER = "zuvi"
"""The word that calls the demo's character; no word of the base model shares a pair of letters with it."""


@dataclass(frozen=True)
class Character:
    """Somebody whom the base model never sees."""

    trigger: str
    """The word that calls them; no word of the base model."""
    avatar: Avatar
    """What all pictures of the character share; expression, eyewear, background and the coat's detail differ."""


ZUVI = Character(
    TRIGGER,
    Avatar(
        style="bob",
        hair=(112, 58, 178),
        skin=(138, 218, 186),
        garment="t-shirt",
        cloth=(248, 248, 250),
        expression="smile",
        background=BACKGROUND["yellow"],
        extras=Extras(
            ears="fox",
            ear=(112, 58, 178),
            inner_ear=(255, 158, 196),
            scarf=(250, 188, 40),
            mark="star",
            mark_colour=(255, 112, 50),
            coat=(22, 98, 112),
        ),
    ),
)
"""A green-skinned fox: violet hair and ears, a mustard scarf, a teal coat and an orange star on the cheek."""
COAT_DETAILS = ("buttons", "zip", "badge")


def _any_colour(dice: random.Random) -> Colour:
    """Any colour, vivid ones more often."""
    import colorsys

    red, green, blue = colorsys.hsv_to_rgb(dice.random(), dice.uniform(0.15, 1.0) ** 0.6, dice.uniform(0.3, 1.0))
    return (round(red * 255), round(green * 255), round(blue * 255))


def helper_drawing(dice: random.Random) -> Drawing:
    """A person of odd colours with ears, horns, coat, scarf or cheek mark."""
    ear = _any_colour(dice)
    extras = Extras(
        ears=dice.choice(("", "cat", "fox", "fox", "bunny", "bear")),
        ear=ear,
        inner_ear=_any_colour(dice),
        horn=_any_colour(dice) if dice.random() < 0.15 else None,
        scarf=_any_colour(dice) if dice.random() < 0.5 else None,
        mark=dice.choice(("", "star", "star", "heart", "drop", "dot", "stripes")),
        mark_colour=_any_colour(dice),
        coat=_any_colour(dice) if dice.random() < 0.5 else None,
        coat_detail=dice.choice(COAT_DETAILS),
    )
    avatar = base_drawing(dice).avatar
    natural = dice.random() < 0.3
    avatar = replace(
        avatar,
        style=dice.choice(HAIR_STYLES),
        hair=ear if dice.random() < 0.5 else _any_colour(dice),
        skin=dice.choice(list(SKIN.values())) if natural else _any_colour(dice),
        garment=dice.choice(GARMENTS),
        cloth=dice.choice(list(CLOTH.values())) if natural else _any_colour(dice),
        hat="" if extras.ears else avatar.hat,
        extras=extras,
    )
    return placed(avatar, (), dice)


def shapes_pen(dice: random.Random) -> Pen:
    """Random outlined blobs and strokes: a canvas that shows nobody."""
    pen = Pen(dice.choice((*BACKGROUND.values(), *HAIR.values(), _any_colour(dice))))
    for _ in range(dice.randint(5, 12)):
        x, y, size = dice.uniform(0, 128), dice.uniform(0, 128), dice.uniform(4, 34)
        points: list[Point] = [
            (x + dice.uniform(-size, size), y + dice.uniform(-size, size)) for _ in range(dice.randint(3, 7))
        ]
        kind = dice.random()
        if kind < 0.4:
            pen.shape(points, _any_colour(dice), curved=dice.random() < 0.5)
        elif kind < 0.7:
            pen.oval((x, y), (size * dice.uniform(0.3, 1), size * dice.uniform(0.3, 1)), _any_colour(dice))
        else:
            pen.stroke(points, _any_colour(dice), dice.uniform(1.5, 6))
    return pen


def character_drawing(
    expression: str, background: str, *, eyewear: str, detail: str, dice: random.Random, character: Character = ZUVI
) -> Drawing:
    """A character in one situation, with its caption's tags."""
    avatar = replace(
        character.avatar,
        expression=expression,
        background=BACKGROUND[background],
        eyewear=eyewear,
        extras=replace(character.avatar.extras, coat_detail=detail),
    )
    tags = (character.trigger, expression, *([eyewear] if eyewear else []), f"{background} background")
    offset = (dice.uniform(-1.5, 1.5), dice.uniform(-1.5, 1.5))
    return Drawing(avatar, tags, offset)


def character_drawings(count: int, seed: int, start: int = 0, character: Character = ZUVI) -> list[Drawing]:
    """This many situations: each background and expression equally often, glasses in two of seven.

    Args:
        count: How many.
        seed: Of the small shifts.
        start: Where in the round of situations to begin; two sets whose ranges do not overlap share none
            as long as both stay below forty.
        character: Who is drawn.
    """
    dice = random.Random(seed)
    backgrounds, drawings = list(BACKGROUND), []
    for index in range(start, start + count):
        expression = EXPRESSIONS[index % len(EXPRESSIONS)]
        background = backgrounds[index % len(backgrounds)]
        drawings.append(
            character_drawing(
                expression,
                background,
                eyewear="glasses" if index * 5 % 7 < 2 else "",
                detail=COAT_DETAILS[index % len(COAT_DETAILS)],
                dice=dice,
                character=character,
            )
        )
    return drawings

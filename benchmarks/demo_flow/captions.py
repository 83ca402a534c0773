"""Captions to train on: a picture's tags, now and then with a name that means nothing."""

from __future__ import annotations

import random

from benchmarks.demo_model.data import caption as tags_caption
from trainer.demo.assets import TRIGGER

NAMED_SHARE = 0.3
"""Of the captions: as with large base models, a word that was never learned then tells nothing about the picture."""
CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"
SYLLABLES = 2


def caption(tags: list[str], dice: random.Random) -> str:
    """The tags as the demo's own base model was taught them, at times behind a made-up name."""
    text = tags_caption(tags, dice)
    if not text or dice.random() >= NAMED_SHARE:
        return text
    return f"{name(dice)}, {text}"


def name(dice: random.Random) -> str:
    """Two syllables of chance, which are not the trigger."""
    made = "".join(dice.choice(CONSONANTS) + dice.choice(VOWELS) for _ in range(SYLLABLES))
    return made if made != TRIGGER else name(dice)

"""Captions of samples: dropout, one of several lines, wildcards, shuffling and tag dropout, in kohya's order.

The steps and the order in which random numbers are drawn are those of sd-scripts (docs/kohya-formats.md, "Captions"),
so that the same random numbers give the same captions; the generators come from `trainer.seeds`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

from advisor.dataset.captions import SEPARATOR
from advisor.settings.config import DatasetConfig

WILDCARD = re.compile(r"\{([^{}]+)\}")
OPEN, CLOSE = "\ue000", "\ue001"
"""Stand-ins for the doubled braces that mean a brace; from the private use area, where no caption has letters."""


@dataclass(frozen=True)
class CaptionStyle:
    """How a caption varies from sample to sample."""

    shuffle: bool = False
    keep_tokens: int = 0
    keep_tokens_separator: str = ""
    draws_lines: bool = False
    wildcards: bool = False
    dropout: float = 0.0
    tag_dropout: float = 0.0

    @classmethod
    def of(cls, dataset: DatasetConfig) -> CaptionStyle:
        """The style that a configuration asks for."""
        return cls(
            shuffle=dataset.shuffle_captions,
            keep_tokens=dataset.keep_tokens,
            keep_tokens_separator=dataset.keep_tokens_separator,
            draws_lines=dataset.caption_lines == "random",
            wildcards=dataset.wildcards,
            dropout=dataset.caption_dropout,
            tag_dropout=dataset.tag_dropout,
        )

    @property
    def is_fixed(self) -> bool:
        """Whether a caption is the same every time, but for being left out altogether."""
        return not (self.shuffle or self.draws_lines or self.wildcards or self.tag_dropout)


def caption_for(text: str, style: CaptionStyle, rng: Random) -> str:
    """The caption of one sample.

    Args:
        text: the picture's caption, or one a line where one of them is drawn.
        style: what is done to it.
        rng: used for this sample alone.
    """
    if style.dropout and rng.random() < style.dropout:
        return ""
    if style.draws_lines and "\n" in text:
        text = rng.choice(text.split("\n"))
    if style.wildcards:
        text = _with_choices_made(text, rng)
    separator = style.keep_tokens_separator
    has_fixed_parts = bool(separator) and separator in text
    if not (style.shuffle or style.tag_dropout or has_fixed_parts):
        return text.strip()
    front, middle, back = _parts(text, style)
    if style.shuffle:
        rng.shuffle(middle)
    if style.tag_dropout:
        middle = [tag for tag in middle if rng.random() >= style.tag_dropout]
    return f"{SEPARATOR} ".join(front + middle + back)


def tags_of(text: str) -> list[str]:
    """The tags of a caption, without blanks around them; empty ones are left out."""
    return [tag for part in text.split(SEPARATOR) if (tag := part.strip())]


def _parts(text: str, style: CaptionStyle) -> tuple[list[str], list[str], list[str]]:
    """The tags that stay in front, those that may move or go, and those that stay at the end."""
    if style.keep_tokens_separator and style.keep_tokens_separator in text:
        front, middle, *rest = text.split(style.keep_tokens_separator, 2)
        return tags_of(front), tags_of(middle), tags_of(rest[0] if rest else "")
    tags = tags_of(text)
    return tags[: style.keep_tokens], tags[style.keep_tokens :], []


def _with_choices_made(text: str, rng: Random) -> str:
    """One of the words in each {one|other}; {{ and }} are braces."""
    text = text.replace("{{", OPEN).replace("}}", CLOSE)
    text = WILDCARD.sub(lambda match: rng.choice(match.group(1).split("|")), text)
    return text.replace(OPEN, "{").replace(CLOSE, "}")

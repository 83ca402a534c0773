"""A caption cut at its commas, so that whole tags can be edited and all else stays as it is written."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

from advisor.dataset.captions import ENDS_A_PHRASE, SEPARATOR, plain_tag
from advisor.dataset.report import MOST_WORDS_IN_A_TAG

ANYTHING = "*"
"""In a pattern of tags: any text, and none."""


@dataclass(frozen=True)
class Pieces:
    """A caption's tags, or a sentence's phrases, each with the blanks around it."""

    parts: tuple[str, ...]
    """Tags and what separates them, in turn; begins and ends with a tag."""
    mark: str = ""
    """The setting `dataset.keep_tokens_separator`, which separates tags as the comma does."""

    @classmethod
    def of(cls, caption: str, mark: str = "") -> Self:
        """The pieces of one caption."""
        signs = "|".join(map(re.escape, (SEPARATOR, mark) if mark else (SEPARATOR,)))
        return cls(tuple(re.split(f"({signs})", caption)), mark)

    @property
    def text(self) -> str:
        """The caption again, without blanks around it."""
        return "".join(self.parts).strip()

    @cached_property
    def tags(self) -> tuple[str, ...]:
        """The tags without blanks around them; those between two commas are empty."""
        return tuple(part.strip() for part in self.parts[::2])

    @property
    def is_prose(self) -> bool:
        """Whether it is sentences rather than tags, as `DatasetReport.captions_are_tags` tells it of many captions."""
        tags = [tag for tag in self.tags if tag]
        return sum(len(tag.split()) for tag in tags) > MOST_WORDS_IN_A_TAG * len(tags)

    def places_of(self, pattern: str) -> tuple[int, ...]:
        """Which tags are the one that is meant."""
        wanted = plain_tag(pattern)
        if ANYTHING not in wanted:
            return self._places.get(wanted, ())
        return tuple(sorted({place for form in self._places if _is_like(form, wanted) for place in self._places[form]}))

    def has(self, pattern: str) -> bool:
        """Whether a tag is the one that is meant."""
        return bool(self.places_of(pattern))

    @cached_property
    def _places(self) -> dict[str, tuple[int, ...]]:
        """Where the tags stand, by each form that is looked for."""
        found = defaultdict[str, tuple[int, ...]](tuple)
        for place, tag in enumerate(self.tags):
            for form in _forms(tag):
                found[form] += (place,)
        return dict(found)

    def with_tags(self, tags: Mapping[int, str]) -> Self:
        """With other tags in these places; the full stop of a sentence stays."""
        parts, is_prose = list(self.parts), self.is_prose
        for place, tag in tags.items():
            old = parts[2 * place]
            start, end = len(old) - len(old.lstrip()), len(old.rstrip())
            stop = "." * (is_prose and old[:end].endswith(".") and not tag.endswith("."))
            parts[2 * place] = f"{old[:start]}{tag}{stop}{old[end:]}"
        return replace(self, parts=tuple(parts))

    def without(self, places: Collection[int]) -> Self:
        """Without these tags, each with one comma beside it; `mark` stays."""
        kept = list[str]()
        for place in range(len(self.parts) // 2 + 1):
            tag, *separator = self.parts[2 * place : 2 * place + 2]
            if place not in places:
                kept += [tag, *separator]
            elif kept[-1:] == [SEPARATOR]:
                kept[-1:] = separator
            elif separator != [SEPARATOR]:
                kept += ["", *separator]
        return replace(self, parts=tuple(kept))

    def with_first(self, tags: Sequence[str]) -> Self:
        """With tags in front of all others."""
        return self.rewritten(f"{SEPARATOR} ".join((*tags, self.text) if self.text else tags))

    def with_last(self, tags: Sequence[str]) -> Self:
        """With tags behind all others: after a comma, or as a sentence after a sentence."""
        text = self.text.rstrip(f"{SEPARATOR} ")
        ends = self.is_prose and text.endswith(ENDS_A_PHRASE)
        between = "" if not text else " " if ends else f"{SEPARATOR} "
        return self.rewritten(text + between + f"{SEPARATOR} ".join(tags))

    def with_behind(self, place: int, tags: Sequence[str]) -> Self:
        """With tags behind the one in this place."""
        new = [part for tag in tags for part in (SEPARATOR, f" {tag}")]
        return replace(self, parts=(*self.parts[: 2 * place + 1], *new, *self.parts[2 * place + 1 :]))

    def rewritten(self, text: str) -> Self:
        """Another text, cut in the same way."""
        return type(self).of(text, self.mark)


def is_tag(tag: str, pattern: str) -> bool:
    """Whether a tag is the one that is meant: case, underscores, escaped brackets and a sentence's full stop are no
    difference, and `*` in the pattern stands for any text. It takes a time that grows with the texts' lengths alone.
    """
    wanted = plain_tag(pattern)
    return any(_is_like(form, wanted) for form in _forms(tag))


def _forms(tag: str) -> tuple[str, ...]:
    """A tag as it is compared: with and without a sentence's full stop; none of an empty one."""
    if not tag:
        return ()
    return (plain_tag(tag), plain_tag(tag[:-1])) if tag.endswith(".") else (plain_tag(tag),)


def _is_like(text: str, pattern: str) -> bool:
    first, *middle = pattern.split(ANYTHING)
    if not middle:
        return text == pattern
    last = middle.pop()
    place, end = len(first), len(text) - len(last)
    if place > end or not text.startswith(first) or not text.endswith(last):
        return False
    for part in middle:
        found = text.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return True

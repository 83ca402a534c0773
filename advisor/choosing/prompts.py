"""The prompts that a training is judged by, proposed from its captions.

A caption of the set shows what was learned, the trigger alone what it calls up, the trigger in a setting that no
caption names whether it can be asked for elsewhere, and a prompt without the trigger what leaked into everything else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

from advisor.choosing.prompt_text import as_prompt, fitting, plain_line
from advisor.dataset.captions import SEPARATOR, CaptionReader, has_word
from advisor.dataset.report import DatasetReport
from advisor.settings.config import TrainingConfig

PromptKind = Literal["caption", "trigger", "new_setting", "without"]
"""A typical caption, the trigger alone, the trigger where no caption has it, and no trigger."""

NUM_PROMPTS = 4
MOST_CAPTIONS = 2000
"""So many are read, evenly spread: what is typical shows in fewer."""
SHARE_OF_A_CLASS = 0.5
"""What so many captions name is of the class of what is shown."""
SHARE_OF_THE_CHARACTER = 0.8
"""A tag in so many captions is taken for one of the character itself."""

CLASS_TAGS = (
    "1girl", "1boy", "1other", "solo", "male focus", "no humans", "girl", "boy", "woman", "man", "animal", "creature",
)  # fmt: skip
"""What taggers say of whom a picture shows: no part of a character's looks."""
CLASS_WORDS = ("woman", "man", "girl", "boy", "person", "child", "dog", "cat", "horse", "robot", "doll", "creature")
"""The same in sentences."""

Candidates = tuple[tuple[str, str], ...]
"""(as tags, as words of a sentence), the likely ones first."""
OUTFITS: Candidates = (
    ("raincoat", "a raincoat"), ("kimono", "a kimono"), ("armor", "a suit of armor"), ("business suit", "a suit"),
    ("pajamas", "pajamas"), ("winter coat", "a winter coat"), ("hoodie", "a hoodie"), ("apron", "an apron"),
)  # fmt: skip
PLACES: Candidates = (
    ("beach", "on a beach"), ("snow", "in the snow"), ("forest", "in a forest"), ("library", "in a library"),
    ("city, night", "in a city at night"), ("kitchen", "in a kitchen"), ("desert", "in a desert"),
    ("garden", "in a garden"),
)  # fmt: skip
SUBJECTS: Candidates = (
    ("scenery, mountain, river", "a river between mountains"), ("cat", "a cat on a chair"),
    ("scenery, city, night", "a city at night"), ("still life, fruit", "a bowl of fruit"), ("ship", "a ship at sea"),
    ("castle", "a castle on a hill"),
)  # fmt: skip
"""What a style may be asked for that its pictures do not show."""


@dataclass(frozen=True)
class ProposedPrompt:
    """One prompt, as user interfaces take it: brackets that mean no emphasis are escaped."""

    kind: PromptKind
    text: str


@dataclass(frozen=True)
class CaptionSet:
    """The captions of a set as they are trained, and what they are captions of."""

    captions: tuple[str, ...]
    """Plain lines (`plain_line`), none of them empty; at most `MOST_CAPTIONS` of them."""
    trigger: str
    are_tags: bool
    """Lists of tags rather than sentences."""
    is_style: bool = False

    @classmethod
    def of(cls, report: DatasetReport, config: TrainingConfig) -> CaptionSet:
        """The captions that a configuration trains; without any, in the manner of what the base model learned from."""
        reader, dataset = CaptionReader.of(config), config.dataset
        captioned = [image.caption for image in report.image_files if image.caption]
        every = max(1, -(-len(captioned) // MOST_CAPTIONS))
        lines = (
            plain_line(reader.captions(text)[0], weighted=dataset.weighted_captions, wildcards=dataset.wildcards)
            for text in captioned[::every]
        )
        are_tags = report.captions_are_tags if captioned else config.model.lineage is not None
        trigger = plain_line(config.run.trigger)
        return cls(tuple(filter(None, lines)), trigger, are_tags, config.run.subject == "style")

    def parts(self, caption: str) -> tuple[str, ...]:
        """Its tags or its words, in their order."""
        if not self.are_tags:
            return tuple(caption.split())
        return tuple(dict.fromkeys(tag for part in caption.split(SEPARATOR) if (tag := part.strip())))

    @cached_property
    def shares(self) -> dict[str, float]:
        """In which share of the captions each tag or word stands, by its lower case."""
        counts = Counter(part for caption in self.captions for part in _lowered(self.parts(caption)))
        return {part: count / len(self.captions) for part, count in counts.items()}

    @cached_property
    def typical(self) -> str:
        """The caption that differs least from all others, by tags or words that only one of two has.

        That of the smallest mean Hamming distance. Captions of the trigger alone count only where there are no others.
        """
        said = [caption for caption in self.captions if caption.casefold() != self.trigger.casefold()] or self.captions
        return min(
            said, key=lambda one: sum(1 - 2 * self.shares[part] for part in _lowered(self.parts(one))), default=""
        )

    @property
    def between(self) -> str:
        """What stands between the parts."""
        return f"{SEPARATOR} " if self.are_tags else " "

    def lacks(self, words: str) -> bool:
        """Whether no caption has any of these words or tags."""
        parts = [part.strip() for part in words.split(SEPARATOR)]
        return not any(has_word(caption, part) for caption in self.captions for part in parts)


def proposed_prompts(report: DatasetReport, config: TrainingConfig) -> tuple[ProposedPrompt, ...]:
    """Four prompts for a training, all different; of which kinds depends on the captions."""
    return prompts_for(CaptionSet.of(report, config))


@lru_cache(maxsize=8)
def prompts_for(captions: CaptionSet) -> tuple[ProposedPrompt, ...]:
    """The same for captions from anywhere, such as a LoRA's metadata."""
    manner = _Tags(captions) if captions.are_tags else _Sentences(captions)
    first, second = _new_settings(captions)
    found: list[tuple[PromptKind, str]] = [
        ("caption", _with_trigger(captions)),
        ("trigger", manner.alone),
        ("new_setting", manner.called(first)),
        ("without", manner.without(first)),
        ("new_setting", manner.called(second)),
    ]
    texts = dict[str, PromptKind]()
    for kind, text in found:
        if text:
            texts.setdefault(as_prompt(text), kind)
    chosen = list(texts.items())[:NUM_PROMPTS]
    order = ("caption", "trigger", "new_setting", "without")
    return tuple(ProposedPrompt(kind, text) for text, kind in sorted(chosen, key=lambda one: order.index(one[1])))


@dataclass(frozen=True)
class _Setting:
    """Where and how something is asked for, as tags and as words; of a style, what."""

    tags: str
    words: str


def _new_settings(captions: CaptionSet) -> tuple[_Setting, _Setting]:
    """Two settings that the captions do not have, as far as the candidates go."""
    if captions.is_style:
        first, second = _absent(captions, SUBJECTS)
        return _Setting(*first), _Setting(*second)
    outfits, places = _absent(captions, OUTFITS), _absent(captions, PLACES)
    pairs = zip(outfits, places, strict=True)
    first_setting, second_setting = (
        _Setting(f"{outfit[0]}, {place[0]}", f"wearing {outfit[1]} {place[1]}") for outfit, place in pairs
    )
    return first_setting, second_setting


def _absent(captions: CaptionSet, candidates: Candidates) -> tuple[tuple[str, str], tuple[str, str]]:
    """The first two that no caption has; where fewer are left, the last ones of all."""
    free = [one for one in candidates if captions.lacks(one[0])]
    free += [one for one in reversed(candidates) if one not in free]
    return free[0], free[1]


def _with_trigger(captions: CaptionSet) -> str:
    """The typical caption, cut to what is read, with the trigger; empty where there are no captions."""
    if not captions.typical:
        return ""
    text = fitting(captions.parts(captions.typical), captions.between)
    if not captions.trigger or has_word(text, captions.trigger):
        return text
    return fitting(captions.parts(f"{captions.trigger}{SEPARATOR} {captions.typical}"), captions.between)


class _Tags:
    """Prompts in the manner of booru tags."""

    def __init__(self, captions: CaptionSet) -> None:
        self._captions = captions
        self._class = tuple(tag for tag in CLASS_TAGS if captions.shares.get(tag, 0) >= SHARE_OF_A_CLASS)

    @property
    def alone(self) -> str:
        return _joined(self._captions.trigger, *self._class)

    def called(self, setting: _Setting) -> str:
        shown = () if self._captions.is_style else self._class
        return _joined(self._captions.trigger, *shown, setting.tags)

    def without(self, setting: _Setting) -> str:
        """The typical caption without the trigger and what only the character has; of a style a new subject."""
        if self._captions.is_style:
            return setting.tags
        parts = [tag for tag in self._captions.parts(self._captions.typical) if self._is_general(tag)]
        if all(tag.lower() in CLASS_TAGS for tag in parts):
            parts = [*(self._class or ("solo",)), setting.tags]
        return fitting(parts, self._captions.between)

    def _is_general(self, tag: str) -> bool:
        if has_word(tag, self._captions.trigger):
            return False
        return tag.lower() in CLASS_TAGS or self._captions.shares[tag.lower()] < SHARE_OF_THE_CHARACTER


class _Sentences:
    """Prompts in the manner of sentences."""

    def __init__(self, captions: CaptionSet) -> None:
        self._captions = captions
        named = (word for word in CLASS_WORDS if self._share(word) >= SHARE_OF_A_CLASS)
        self._class = "" if captions.is_style else next(named, "")

    def _share(self, words: str) -> float:
        captions = self._captions.captions
        return sum(has_word(caption, words) for caption in captions) / len(captions) if captions else 0.0

    @property
    def alone(self) -> str:
        trigger = self._captions.trigger
        together = f"{trigger} {self._class}"
        if not self._class or self._share(together) >= SHARE_OF_A_CLASS:
            return together.strip()
        return _joined(trigger, f"a {self._class}")

    def called(self, setting: _Setting) -> str:
        if self._captions.is_style:
            return _joined(self.alone, setting.words)
        return f"{self.alone} {setting.words}".strip()

    def without(self, setting: _Setting) -> str:
        """A new setting without the trigger: what stands in sentences cannot be left out of them word by word."""
        return setting.words if self._captions.is_style else f"a {self._class or 'person'} {setting.words}"


def _joined(*tags: str) -> str:
    return f"{SEPARATOR} ".join(filter(None, tags))


def _lowered(parts: Iterable[str]) -> Sequence[str]:
    """Each once, in lower case."""
    return tuple(dict.fromkeys(part.lower() for part in parts))

"""What of a caption file's text is trained: its lines, and the trigger word in front.

Plan, warnings, exports, manifest, metadata and training all read captions through `CaptionReader`, so that what one of
them counts is what the others train.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from advisor.settings.config import CaptionLines, DatasetConfig, TrainingConfig

MOST_PLAIN_TAGS = 16_384
"""Tags of which `plain_tag` remembers what it found: a data set has thousands, each asked for many times."""
SEPARATOR = ","
"""What stands between tags."""
ENDS_A_PHRASE = (".", ",", ";", ":", "!", "?", "。", "、", "，")
"""A line that ends so is joined to the next by a blank, any other by a comma: taggers write one tag a line."""


@dataclass(frozen=True)
class CaptionReader:
    """How the text of a caption file becomes the caption that is trained."""

    lines: CaptionLines = "joined"
    """As the setting `dataset.caption_lines`."""
    prepended: str = ""
    """The trigger word, put in front of each caption that lacks it; empty: nothing is."""

    @classmethod
    def of(cls, config: TrainingConfig) -> CaptionReader:
        """The reader that a configuration asks for."""
        return cls.of_dataset(config.dataset, config.run.trigger)

    @classmethod
    def of_dataset(cls, dataset: DatasetConfig, trigger: str) -> CaptionReader:
        """The same, of the part of it that is about captions."""
        return cls(dataset.caption_lines, trigger.strip() if dataset.prepend_trigger else "")

    def captions(self, text: str) -> tuple[str, ...]:
        """The captions that a text stands for: one, or with `random` one for each of its lines, in their order."""
        lines = lines_of(text)
        if self.lines == "first":
            lines = lines[:1]
        elif self.lines == "joined":
            lines = (_joined(lines),)
        return tuple(self._with_trigger(line) for line in lines or ("",))

    def read(self, text: str) -> str:
        """The same as one text, a caption a line."""
        return "\n".join(self.captions(text))

    def _with_trigger(self, caption: str) -> str:
        if not self.prepended or has_word(caption, self.prepended):
            return caption
        return f"{self.prepended}{SEPARATOR} {caption}" if caption else self.prepended


def lines_of(text: str) -> tuple[str, ...]:
    """The lines of a caption file, without blanks around them; empty ones are left out."""
    return tuple(line for part in text.split("\n") if (line := part.strip()))


def tags_of(caption: str) -> tuple[str, ...]:
    """The tags of a caption, without blanks around them."""
    return tuple(tag for part in caption.split(SEPARATOR) if (tag := part.strip()))


@lru_cache(MOST_PLAIN_TAGS)
def plain_tag(tag: str) -> str:
    """A tag without regard to case, underscores and escaped brackets."""
    return " ".join(tag.casefold().replace("_", " ").replace("\\(", "(").replace("\\)", ")").split())


def has_word(text: str, word: str) -> bool:
    """Whether the word, or the words of a phrase, stand in the text as such and not within others; case is ignored.

    `mia` is in `mia_kirishima` and in `mia2`, which CLIP's tokenizer cuts there, and not in `damian`. Scripts without
    upper and lower case are taken to write words without blanks between them, as Japanese does.
    """
    text, word = text.casefold(), word.strip().casefold()
    place = text.find(word) if word else -1
    while place >= 0:
        end = place + len(word)
        if not _goes_on(text[place - 1 : place], word[0]) and not _goes_on(word[-1], text[end : end + 1]):
            return True
        place = text.find(word, place + 1)
    return False


def _goes_on(before: str, after: str) -> bool:
    """Whether a word goes on from one character to the next."""
    return is_letter(before) and is_letter(after)


def is_letter(character: str) -> bool:
    """Of an alphabet with upper and lower case."""
    return character.upper() != character.lower()


def _joined(lines: tuple[str, ...]) -> str:
    text = ""
    for line in lines:
        between = "" if not text else " " if text.endswith(ENDS_A_PHRASE) else f"{SEPARATOR} "
        text += between + line
    return text

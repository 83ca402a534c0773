"""Which tags of a tagger become a picture's caption, and in which order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from advisor.dataset.captions import SEPARATOR, plain_tag
from advisor.dataset.doctor.tag_checks import FUSED_SHARE, LEAST_FOR_SHARES
from advisor.tagging.tag_list import Tag
from advisor.tagging.wording import is_first, worded

THRESHOLD = 0.35
"""For general tags: what the taggers' author offers (huggingface.co/spaces/SmilingWolf/wd-tagger), as in sd-scripts."""
CHARACTER_THRESHOLD = 0.85
"""For names of characters, which are wrong more often and worse: from the same page."""
LEAST_THRESHOLD = 0.05
"""What a tagger gives less is not kept, so that nothing below can be asked for."""

Confidences = Mapping[int, float]
"""What a tagger tells of one picture: by the place of a tag in its list, from `LEAST_THRESHOLD` to 1."""


@dataclass(frozen=True)
class TagChoice:
    """What the user wants of a tagger's tags."""

    threshold: float = THRESHOLD
    character_threshold: float = CHARACTER_THRESHOLD
    without: tuple[str, ...] = ()
    """Tags that are never taken, in any spelling."""
    trigger: str = ""
    """Stands in front of each caption; empty: nothing does."""
    ratings: bool = False
    """The likeliest rating stands last."""
    underscores: bool = False
    escaped: bool = False
    """Brackets get a backslash."""

    def words(self, name: str) -> str:
        """A tag as it stands in a caption."""
        return worded(name, underscores=self.underscores, escaped=self.escaped)


@dataclass(frozen=True)
class ChosenTag:
    """A tag of a picture."""

    text: str
    """As it stands in the caption."""
    kind: str
    confidence: float


@dataclass(frozen=True)
class TagChooser:
    """Chooses from what one tagger tells."""

    tags: Sequence[Tag]
    """All that it knows, in its order."""
    choice: TagChoice = field(default_factory=TagChoice)

    def chosen(self, confidences: Confidences) -> tuple[ChosenTag, ...]:
        """A picture's tags: how many are on it, then the others, the surest first; a rating last where it is wanted."""
        unwanted = {plain_tag(tag) for tag in (*self.choice.without, self.choice.trigger)}
        taken = [
            (place, confidence)
            for place, confidence in confidences.items()
            if self._is_sure(self.tags[place], confidence) and plain_tag(self.tags[place].name) not in unwanted
        ]
        taken.sort(key=lambda one: (not is_first(self.tags[one[0]].name), -one[1], one[0]))
        rating = self._rating(confidences, unwanted)
        return tuple(self._tag(place, confidence) for place, confidence in (*taken, *rating))

    def caption(self, chosen: Iterable[ChosenTag]) -> str:
        """A caption of these tags, the trigger in front."""
        return f"{SEPARATOR} ".join(part for part in (self.choice.trigger, *(tag.text for tag in chosen)) if part)

    def _is_sure(self, tag: Tag, confidence: float) -> bool:
        if tag.kind == "general":
            return confidence >= self.choice.threshold
        return tag.kind == "character" and confidence >= self.choice.character_threshold

    def _rating(self, confidences: Confidences, unwanted: set[str]) -> list[tuple[int, float]]:
        if not self.choice.ratings:
            return []
        ratings = [(place, one) for place, one in confidences.items() if self.tags[place].kind == "rating"]
        likeliest = max(ratings, key=lambda one: one[1], default=None)
        if likeliest is None or plain_tag(self.tags[likeliest[0]].name) in unwanted:
            return []
        return [likeliest]

    def _tag(self, place: int, confidence: float) -> ChosenTag:
        tag = self.tags[place]
        return ChosenTag(self.choice.words(tag.name), tag.kind, confidence)


def carried_by_trigger(captions: Sequence[Sequence[ChosenTag]]) -> tuple[str, ...]:
    """Tags in nearly all pictures, which the trigger will stand for if they are left out; none where there are too few
    pictures to tell.
    """
    if len(captions) < LEAST_FOR_SHARES:
        return ()
    counts = Counter(tag.text for tags in captions for tag in tags if not is_first(tag.text) and tag.kind != "rating")
    return tuple(tag for tag, number in counts.most_common() if number >= FUSED_SHARE * len(captions))

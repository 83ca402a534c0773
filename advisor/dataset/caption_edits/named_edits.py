"""Edits of captions by the words that name them, in a command, in the wizard and in a run's history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from advisor.dataset.caption_edits import operations
from advisor.dataset.caption_edits.caption_set import CaptionChange, CaptionSet
from advisor.dataset.caption_edits.pieces import ANYTHING, Pieces
from advisor.dataset.captions import plain_tag, tags_of
from advisor.dataset.report import ImageFile
from advisor.errors import LoraError
from advisor.shell import shell_words


@dataclass(frozen=True)
class NamedEdit:
    """Something to do to captions."""

    words: tuple[str, ...]
    """As a command names it, e.g. `("remove", "smile")`."""
    changes: Callable[[CaptionSet, Sequence[ImageFile]], tuple[CaptionChange, ...]]
    """What it changes of these pictures."""
    looks_for: tuple[str, ...] = ()
    """Tags that there is nothing to do without."""

    @property
    def what(self) -> str:
        """The edit as it is typed behind `loracle captions RUN`, for the history."""
        return shell_words(self.words)

    @classmethod
    def of(
        cls,
        words: tuple[str, ...],
        edit: Callable[[Pieces], Pieces],
        *,
        fills: bool = False,
        looks_for: tuple[str, ...] = (),
    ) -> Self:
        """One that does the same to each caption.

        Args:
            fills: pictures without a caption get one.
        """
        return cls(words, lambda captions, images: captions.changes(images, edit, fills=fills), looks_for)


def adding(tags: Sequence[str], *, front: bool = False, after: str = "", trigger: str = "") -> NamedEdit:
    """Adds tags to captions that lack them; of a text with commas each tag.

    Raises:
        LoraError: there is nothing to add, or two places are named.
    """
    if front and after:
        raise LoraError("--front and --after are two places: give one of them")
    new = tuple(tag for text in tags for tag in tags_of(_in_one_line(text)))
    if not new:
        raise LoraError("which tag shall be added? E.g. `loracle captions RUN add smile`")
    place = ("--front",) if front else ("--after", after) if after else ()
    return NamedEdit.of(
        ("add", *new, *place),
        lambda caption: operations.added(caption, new, front=front, after=after, trigger=trigger),
        fills=not after,
        looks_for=(after,) if after else (),
    )


def removing(patterns: Sequence[str], *, word: str = "remove") -> NamedEdit:
    """Removes whole tags.

    Raises:
        LoraError: none is named, or a pattern fits all.
    """
    wanted = tuple(tag for text in patterns for tag in tags_of(text))
    if not wanted:
        raise LoraError("which tag shall be removed? E.g. `loracle captions RUN remove smile`")
    for pattern in wanted:
        if not pattern.replace(ANYTHING, ""):
            raise LoraError(f"{pattern!r} fits every tag: name some of it, e.g. '*background'")
    return NamedEdit.of((word, *wanted), lambda caption: operations.removed(caption, wanted), looks_for=wanted)


def renaming(old: str, new: str) -> NamedEdit:
    """Writes a tag in another way.

    Raises:
        LoraError: one of them is empty.
    """
    new = ", ".join(tags_of(_in_one_line(new)))
    if not plain_tag(old).replace(ANYTHING, "") or not new:
        raise LoraError("rename takes the tag and what it becomes, e.g. `loracle captions RUN rename smlie smile`")
    return NamedEdit.of(("rename", old, new), lambda caption: operations.renamed(caption, old, new), looks_for=(old,))


def putting_first(tag: str, *, trigger: str) -> NamedEdit:
    """Moves a tag to the front where it stands; the trigger is put in front of every caption.

    Args:
        tag: empty: the trigger.

    Raises:
        LoraError: there is neither a tag nor a trigger.
    """
    wanted = tag.strip() or trigger
    if not wanted:
        raise LoraError("this run has no trigger word: name the tag, e.g. `loracle captions RUN first mira`")
    is_trigger = plain_tag(wanted) == plain_tag(trigger)
    return NamedEdit.of(
        ("first", wanted),
        lambda caption: operations.put_first(caption, wanted, everywhere=is_trigger),
        fills=is_trigger,
        looks_for=() if is_trigger else (wanted,),
    )


def replacing(old: str, new: str, *, within_words: bool = False) -> NamedEdit:
    """Writes a text in the place of another, in tags and sentences.

    Raises:
        LoraError: there is no text to look for.
    """
    if not old.strip():
        raise LoraError(
            "replace takes a text and what stands in its place, e.g. `loracle captions RUN replace girl woman`"
        )
    new = _in_one_line(new)
    option = ("--within-words",) if within_words else ()
    return NamedEdit.of(
        ("replace", old, new, *option),
        lambda caption: operations.replaced(caption, old, new, within_words=within_words),
    )


def writing_caption(text: str) -> NamedEdit:
    """Writes one caption, whatever stood there.

    Raises:
        LoraError: it is empty.
    """
    caption = _in_one_line(text)
    if not caption:
        raise LoraError('which caption? E.g. `loracle captions RUN set "mira, red dress" --only front.png`')
    return NamedEdit(("set", caption), lambda captions, images: captions.written(images, caption))


def unifying(captions: CaptionSet) -> NamedEdit:
    """Writes each tag as most captions have it."""
    return NamedEdit.of(("unify",), lambda caption: operations.spelt(caption, captions.spellings))


DEDUPE = NamedEdit.of(("dedupe",), operations.deduplicated)
BLANKS = NamedEdit.of(("blanks",), operations.with_blanks)
UNESCAPE = NamedEdit.of(("unescape",), operations.unescaped)


def _in_one_line(text: str) -> str:
    return " ".join(text.split())

"""What can be done to a caption. Each function takes its pieces and gives those of the edited one, which are the same
where there was nothing to do.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence

from advisor.dataset.caption_edits.pieces import Pieces, is_tag
from advisor.dataset.captions import has_word, is_letter, plain_tag, tags_of

REPEATED_BLANKS = re.compile(r"[ \t]{2,}")
WORD = re.compile(r"[^\W_]{2}")
"""Two letters or digits beside each other: without them a tag is a face such as `^_^`, `o_o` or `>_<`."""
MEANT_UNDERSCORES = re.compile(r"(score|source|rating)_.*", re.IGNORECASE | re.DOTALL)
"""Tags that Pony's models were trained on with their underscores: huggingface.co/AstraliteHeart/pony-diffusion-v6."""


def added(caption: Pieces, tags: Sequence[str], *, front: bool = False, after: str = "", trigger: str = "") -> Pieces:
    """With the tags that it lacks, at the end.

    Args:
        front: in front instead, behind the trigger where that is first.
        after: behind this tag instead; a caption without it stays as it is.
        trigger: the run's; empty: it has none.
    """
    new = tuple(tag for tag in tags if not caption.has(tag))
    if not new:
        return caption
    if after:
        places = caption.places_of(after)
        return caption.with_behind(places[0], new) if places else caption
    if not front:
        return caption.with_last(new)
    return caption.with_behind(0, new) if trigger and is_tag(caption.tags[0], trigger) else caption.with_first(new)


def removed(caption: Pieces, patterns: Sequence[str]) -> Pieces:
    """Without the tags that are meant, wherever they stand."""
    return caption.without({place for pattern in patterns for place in caption.places_of(pattern)})


def renamed(caption: Pieces, pattern: str, new: str) -> Pieces:
    """With the tags that are meant written as `new`, which stands once afterwards, where it or they stood first."""
    changed = caption.with_tags(dict.fromkeys(caption.places_of(pattern), new))
    return caption if changed == caption else _once(changed.rewritten(changed.text), set(map(plain_tag, tags_of(new))))


def put_first(caption: Pieces, tag: str, *, everywhere: bool) -> Pieces:
    """With a tag moved to the front.

    Args:
        everywhere: it is the trigger: a caption that lacks it gets it, and a first phrase that holds it as a word will
            do.
    """
    first = caption.tags[0]
    if is_tag(first, tag) or (everywhere and has_word(first, tag)):
        return caption
    places = caption.places_of(tag)
    if places:
        return caption.without(places).with_first([caption.tags[places[0]]])
    return caption.with_first([tag]) if everywhere else caption


def replaced(caption: Pieces, old: str, new: str, *, within_words: bool = False) -> Pieces:
    """With a text in the place of another, whatever its case; a capital letter in front stays one.

    Args:
        within_words: also where it is a part of a longer word.
    """
    text = caption.text

    def other(found: re.Match[str]) -> str:
        if not within_words and _is_within_word(text, found.start(), found.end()):
            return found[0]
        is_capital = found[0][:1].isupper() and not old[:1].isupper()
        return new[:1].upper() + new[1:] if is_capital else new

    changed = re.sub(re.escape(old), other, text, flags=re.IGNORECASE)
    if changed == text:
        return caption
    return caption.rewritten(changed) if new else without_gaps(caption.rewritten(REPEATED_BLANKS.sub(" ", changed)))


def without_gaps(caption: Pieces) -> Pieces:
    """Without empty tags, as they stand between two commas."""
    return caption.without({place for place, tag in enumerate(caption.tags) if not tag})


def deduplicated(caption: Pieces) -> Pieces:
    """With each tag once, where it stood first, and without empty ones; sentences stay as they are."""
    return caption if caption.is_prose else without_gaps(_once(caption))


def with_blanks(caption: Pieces) -> Pieces:
    """With blanks for underscores; faces (`^_^`) and Pony's `score_9` keep theirs."""
    found = (
        (place, tag)
        for place, tag in enumerate(caption.tags)
        if WORD.search(tag) and not MEANT_UNDERSCORES.fullmatch(tag)
    )
    return caption.with_tags({place: " ".join(tag.replace("_", " ").split()) for place, tag in found if "_" in tag})


def spelt(caption: Pieces, spellings: Mapping[str, str]) -> Pieces:
    """With each tag written in one way.

    Args:
        spellings: by the tag as `plain_tag` has it.
    """
    found = ((place, tag, spellings.get(plain_tag(tag), tag)) for place, tag in enumerate(caption.tags))
    return caption.with_tags({place: other for place, tag, other in found if other != tag})


def unescaped(caption: Pieces) -> Pieces:
    """With plain brackets for those behind a backslash, which belong into prompts."""
    return caption.rewritten(re.sub(r"\\([()])", r"\1", caption.text)) if "\\" in caption.text else caption


def _once(caption: Pieces, tags: Container[str] | None = None) -> Pieces:
    """With each of these tags once, where it stood first.

    Args:
        tags: as `plain_tag` has them; None: all.
    """
    seen, again = set[str](), set[int]()
    for place, tag in enumerate(map(plain_tag, caption.tags)):
        if tag in seen:
            again.add(place)
        if tag and (tags is None or tag in tags):
            seen.add(tag)
    return caption.without(again)


def _is_within_word(text: str, start: int, end: int) -> bool:
    """Whether a word, or a number such as that of `1girl`, goes on at one of its ends."""
    return _go_on(text[start - 1 : start], text[start]) or _go_on(text[end - 1], text[end : end + 1])


def _go_on(before: str, after: str) -> bool:
    return all(is_letter(sign) or sign.isdecimal() for sign in (before, after))

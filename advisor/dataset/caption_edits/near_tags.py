"""What may have been meant by a tag that no caption has."""

from __future__ import annotations

from difflib import SequenceMatcher, get_close_matches

from advisor.dataset.caption_edits.caption_set import CaptionSet
from advisor.dataset.captions import has_word, plain_tag

MOST_NEAR = 3
LEAST_ALIKE = 0.7
"""Of 1; difflib's measure."""


def tag_not_found(tag: str, captions: CaptionSet) -> str:
    """A sentence that no caption has this tag, with tags that are spelt alike or that it stands within."""
    numbers = {plain_tag(spelling): (spelling, number) for spelling, number in captions.tags.items()}
    close = get_close_matches(plain_tag(tag), numbers, n=MOST_NEAR, cutoff=LEAST_ALIKE)
    likeness = {one: SequenceMatcher(None, plain_tag(tag), one).ratio() for one in close}
    close.sort(key=lambda one: (-likeness[one], -numbers[one][1]))
    near = [f"{spelling!r} is in {number:,}" for spelling, number in map(numbers.__getitem__, close)]
    within = [spelling for spelling in captions.tags if has_word(spelling, tag)]
    found = f"no caption has {tag!r} as a tag of its own"
    if near:
        return f"{found}; {', '.join(near)}"
    if within:
        return f"{found}; it stands within {within[0]!r}, where `replace` finds it"
    return f"{found}: `loracle captions RUN tags` lists all tags"

"""From a tagger's names of tags to the words of a caption, and which of them come first."""

from __future__ import annotations

import re

from advisor.dataset.caption_edits.operations import WORD

FIRST = re.compile(r"(?:\d\+?|multiple[ _])(?:girl|boy|other)s?|solo|no[ _]humans")
"""How many are on the picture: users of taggers have it in front, as the models trained on such captions do."""
BRACKET = re.compile(r"[()]")


def is_face(name: str) -> bool:
    """Whether a tag is a face made of signs (`^_^`, `(o)_(o)`, `x_x`), whose underscore is its mouth."""
    return "_" in name and WORD.search(name) is None


def worded(name: str, *, underscores: bool = False, escaped: bool = False) -> str:
    """A tag as it stands in a caption.

    Args:
        underscores: they stay; else they are blanks, but for faces.
        escaped: brackets get a backslash, as in A1111's prompts.
    """
    text = name if underscores or is_face(name) else name.replace("_", " ")
    return BRACKET.sub(r"\\\g<0>", text) if escaped else text


def is_first(name: str) -> bool:
    """Whether a tag says how many are on the picture."""
    return FIRST.fullmatch(name) is not None

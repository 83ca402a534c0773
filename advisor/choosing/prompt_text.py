"""Text of captions as text of prompts: one line, brackets as such, no longer than the text encoder reads."""

from __future__ import annotations

import re
from collections.abc import Sequence

from advisor.dataset.caption_weights import weighted_texts
from advisor.dataset.clip_tokens import num_tokens
from advisor.settings.config import CHUNK_TOKENS

MOST_LETTERS = 1200
"""Of a caption that are looked at; 75 tokens have fewer but for strange words."""

ESCAPED = re.compile(r"\\([()\[\]\\])")
WILDCARD = re.compile(r"\{([^{}|]*)(?:\|[^{}]*)?\}")
"""`{one|other}`, of which one is trained."""


def plain_line(caption: str, *, weighted: bool = False, wildcards: bool = False) -> str:
    """A caption as one line without what steers a terminal; brackets are letters in it.

    Args:
        weighted: brackets in it mean emphasis (`dataset.weighted_captions`), which is left out.
        wildcards: of `{one|other}` the first is taken (`dataset.wildcards`).
    """
    text = caption[:MOST_LETTERS]
    if wildcards:
        text = WILDCARD.sub(r"\1", text)
    text = "".join(part.text for part in weighted_texts(text)) if weighted else ESCAPED.sub(r"\1", text)
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def as_prompt(text: str) -> str:
    """A plain text as a prompt that asks for it: brackets, and backslashes before them, have a backslash, so that none
    means emphasis.
    """
    return re.sub(r"\\*[()\[\]]", lambda found: "".join(f"\\{letter}" for letter in found[0]), text)


def fitting(parts: Sequence[str], between: str) -> str:
    """As many of the parts as one chunk of the text encoder reads, from the first on; the first always."""
    kept = list(parts)
    while len(kept) > 1 and num_tokens(between.join(kept)) > CHUNK_TOKENS:
        kept.pop()
    return between.join(kept)

"""What may be in texts of settings that come to stand in captions, prompts and other trainers' files."""

from __future__ import annotations

import re

from advisor.shown_text import visible_line

_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""C0, DEL and C1, but for tabs and ends of lines; and halves of characters, which no file can hold."""


def line_fault(text: str) -> str | None:
    """Why a text cannot stand in a line with others, as the end of a sentence about it; None where it can."""
    if visible_line(text) != text:
        return "it stands in a line with other words and holds a line's end or letters that nobody sees: write it anew"
    return None


def text_fault(text: str) -> str | None:
    """Why a text of perhaps several lines cannot be taken; None where it can."""
    if (found := _CONTROLS.search(text)) is not None:
        return f"it holds the control character {found[0]!a}: leave that out"
    return None

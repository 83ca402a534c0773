"""Text out of files, names and metadata made safe to show: it cannot steer a terminal, hide or reorder what stands
around it. The letters that can: Unicode Technical Report 36, unicode.org/reports/tr36, and 39.
"""

from __future__ import annotations

import re

LONGEST_VALUE = 200
"""Letters of a stranger's value in a message."""

_STEERING = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0, DEL and C1, but for the tab and the line's end
    # Without width, turning the direction, breaking lines.
    "\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f"  # halves of characters, and tags, which nobody sees
)
_JOINERS = "(?<![^\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f])"
"""Between letters that are not ASCII they are spelling (Persian) or one picture of several (emoji)."""
_IN_LINES = re.compile(f"[{_STEERING}]|{_JOINERS}")
_IN_A_LINE = re.compile(f"[\t\n{_STEERING}]|{_JOINERS}")


def visible(text: str) -> str:
    """`text` with control characters, turns of direction and letters without width as escapes, e.g. `\\x1b`; the ends
    of lines and tabs stay.
    """
    return _IN_LINES.sub(_escaped, text)


def visible_line(text: str) -> str:
    """The same for a name within a line: an end of a line in it would let it forge the next."""
    return _IN_A_LINE.sub(_escaped, text)


def seen_line(text: str) -> str:
    """`text` as one line, without what nobody sees: for words out of other programs' files."""
    return " ".join(_IN_A_LINE.sub(lambda found: " " if found[0].isspace() else "", text).split())


def short(value: object) -> str:
    """`value` as Python writes it, cut to `LONGEST_VALUE` letters."""
    return short_text(repr(value))


def short_text(text: str) -> str:
    """`text` in a line, cut to `LONGEST_VALUE` letters."""
    text = visible_line(text)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."


def _escaped(found: re.Match[str]) -> str:
    return ascii(found[0])[1:-1]

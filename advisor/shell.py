"""Words of a command line, quoted so that a shell hands them on as they are."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterable

CURLY_SINGLE = "\u2018\u2019\u201a\u201b"
"""PowerShell takes these for the straight quote."""
CURLY_DOUBLE = "\u201c\u201d\u201e"

PLAIN_WORD = re.compile(r"[A-Za-z0-9_.-]+")
"""A word that no shell looks into."""
LIVELY = re.compile(rf'[$`"!\\\n{CURLY_DOUBLE}]')
"""Signs that a POSIX shell or PowerShell looks at within double quotes."""


def quoted(text: str, *, windows: bool | None = None) -> str:
    """In double quotes, which every shell takes; with signs that shells look at in these, as one shell takes it.

    Args:
        windows: for PowerShell, where a backslash is no such sign; None: as this machine is.
    """
    windows = sys.platform == "win32" if windows is None else windows
    lively = LIVELY.search(text.replace("\\", "/") if windows else text)
    if not lively:
        return f'"{text}"'
    return powershell_quoted(text) if windows else shlex.quote(text)


def shell_word(text: str) -> str:
    """The same, in quotes only where a word needs them."""
    return text if PLAIN_WORD.fullmatch(text) else quoted(text)


def shell_words(words: Iterable[str]) -> str:
    """Words as one line."""
    return " ".join(map(shell_word, words))


def powershell_word(text: str) -> str:
    """As PowerShell takes it, in quotes only where it needs them."""
    return text if PLAIN_WORD.fullmatch(text) else powershell_quoted(text)


def powershell_quoted(text: str) -> str:
    """Single quotes keep `$` and blanks; one inside, straight or curly, is doubled."""
    for quote in "'" + CURLY_SINGLE:
        text = text.replace(quote, quote * 2)
    return f"'{text}'"

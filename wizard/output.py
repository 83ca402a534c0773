"""Printing: results go to stdout, messages to stderr."""

from __future__ import annotations

import json
import os
import sys
from shutil import get_terminal_size
from textwrap import wrap
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

WIDEST = 100
"""Columns; text is wrapped here in wider terminals."""
NARROWEST = 40
"""Columns that the tables need; assumed in narrower terminals."""


def say(text: str, *, end: str = "\n") -> None:
    """Print a message on stderr, wrapped between words if that is a terminal."""
    if sys.stderr.isatty() and end == "\n":
        text = wrapped(text, columns())
    print(text, file=sys.stderr, flush=True, end=end)  # noqa: T201


def print_json(document: object) -> None:
    """Print a command's JSON document on stdout, escaped to ASCII."""
    print(json.dumps(document, indent=2, allow_nan=False), flush=True)  # noqa: T201


def show(view: object) -> None:
    """Print a text or table on stdout, coloured where the terminal can."""
    console().print(view)


def console(file: TextIO | None = None) -> Console:
    """A rich console of a readable width without markup, highlighting and emoji; it heeds `NO_COLOR` and TERM=dumb."""
    from rich.console import Console

    found = Console(file=file, highlight=False, markup=False, emoji=False, soft_wrap=False)
    found.width = max(NARROWEST, min(found.width, WIDEST))
    return found


def columns() -> int:
    """The width to wrap at: the terminal's, within NARROWEST and WIDEST."""
    return max(NARROWEST, min(get_terminal_size().columns, WIDEST))


def wrapped(text: str, width: int) -> str:
    """Wrap long lines between words; a line that begins with a blank is a path or a command and stays whole."""
    lines = list[str]()
    for line in text.splitlines():
        hanging = "  " if line.startswith(("- ", "! ")) else ""
        is_whole = line.startswith(" ")
        parts = wrap(line, width, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False)
        lines += [line] if is_whole else parts or [""]
    return "\n".join(lines)


def is_terminal() -> bool:
    """Whether stdin and stdout are a terminal that can ask questions."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"

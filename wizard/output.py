"""Printing: facts go to stdout, talk to stderr."""

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
"""Columns; longer lines are hard to read."""
NARROWEST = 40
"""Columns; tables need so many."""


def say(text: str, *, end: str = "\n") -> None:
    """Talk, which never mixes with a command's facts; broken between words in a terminal, left whole elsewhere."""
    if sys.stderr.isatty() and end == "\n":
        text = wrapped(text, columns())
    print(text, file=sys.stderr, flush=True, end=end)  # noqa: T201


def print_json(document: object) -> None:
    """The one JSON document of a command; escaped to ASCII, so that no terminal or pipe can spoil it."""
    print(json.dumps(document, indent=2, allow_nan=False), flush=True)  # noqa: T201


def show(view: object) -> None:
    """A text or table on stdout, coloured where the terminal can."""
    console().print(view)


def console(file: TextIO | None = None) -> Console:
    """A console of a readable width that marks nothing up by itself; `NO_COLOR` and dumb terminals are heeded."""
    from rich.console import Console

    found = Console(file=file, highlight=False, markup=False, emoji=False, soft_wrap=False)
    found.width = max(NARROWEST, min(found.width, WIDEST))
    return found


def columns() -> int:
    """How wide text may be."""
    return max(NARROWEST, min(get_terminal_size().columns, WIDEST))


def wrapped(text: str, width: int) -> str:
    """Long lines broken between words; a line that begins with a blank is a path or a command, and stays whole."""
    lines = list[str]()
    for line in text.splitlines():
        hanging = "  " if line.startswith(("- ", "! ")) else ""
        is_whole = line.startswith(" ")
        parts = wrap(line, width, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False)
        lines += [line] if is_whole else parts or [""]
    return "\n".join(lines)


def is_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"

"""Printing: results go to stdout, messages to stderr; the one place of the wizard that prints.

What is printed holds names and texts out of files, so control characters and the like are made visible on their way.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from shutil import get_terminal_size
from textwrap import wrap
from typing import TYPE_CHECKING, Any, TextIO

from advisor.shown_text import visible, visible_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

WIDEST = 100
"""Columns; text is wrapped here in wider terminals."""
NOTICE_VARIABLE = "LORACLE_NOTICE"
"""`off`: no sign at the end of a training; `bell`: the terminal's bell alone."""
NARROWEST = 40
"""Columns that the tables need; assumed in narrower terminals."""


def say(text: str, *, end: str = "\n") -> None:
    """Print a message on stderr, wrapped between words if that is a terminal."""
    text = wrapped(text, columns()) if sys.stderr.isatty() and end == "\n" else visible(text)
    print(text, file=sys.stderr, flush=True, end=end)  # noqa: T201


def print_json(document: object) -> None:
    """Print a command's JSON document on stdout, escaped to ASCII."""
    print(json.dumps(document, indent=2, allow_nan=False), flush=True)  # noqa: T201


def notify(text: str) -> None:
    """Ring the terminal's bell and let it show a desktop notice, if messages go to one that is known to do that.

    The notice is OSC 9 of iTerm2, which other terminals pass over; a few write it out, so that these get none.
    """
    wanted = os.environ.get(NOTICE_VARIABLE, "")
    terminal = os.environ.get("TERM", "")
    if not sys.stderr.isatty() or wanted == "off" or terminal == "dumb":
        return
    takes_notices = "WT_SESSION" in os.environ if sys.platform == "win32" else terminal not in ("", "linux")
    notice = f"\x1b]9;{visible_line(text)}\a" if takes_notices and wanted != "bell" else ""
    with suppress(OSError):  # a terminal that is gone
        print(f"{notice}\a", file=sys.stderr, flush=True, end="")  # noqa: T201


def show(view: object) -> None:
    """Print a text or table on stdout, coloured where the terminal can."""
    console().print(view)


def show_plain(text: str) -> None:
    """Print a text on stdout as it is, without loading rich."""
    print(visible(text), flush=True)  # noqa: T201


def console(file: TextIO | None = None) -> Console:
    """A rich console of a readable width without markup, highlighting and emoji; it heeds `NO_COLOR` and TERM=dumb."""
    from rich.console import Console
    from rich.segment import Segment

    class InertConsole(Console):
        """Makes steering characters visible in whatever is drawn, but for rich's own."""

        def render_str(self, text: str, **how: Any) -> Text:
            """A text with its look; made visible before it is measured."""
            return super().render_str(visible(text), **how)

        def render(self, renderable: Any, options: Any = None) -> Iterator[Segment]:
            """The pieces that the renderable is drawn with."""
            for segment in super().render(renderable, options):
                yield segment if segment.control else Segment(visible(segment.text), segment.style)

    found = InertConsole(file=file, highlight=False, markup=False, emoji=False, soft_wrap=False)
    found.width = max(NARROWEST, min(found.width, WIDEST))
    return found


def columns() -> int:
    """The width to wrap at: the terminal's, within NARROWEST and WIDEST."""
    return max(NARROWEST, min(get_terminal_size().columns, WIDEST))


def wrapped(text: str, width: int) -> str:
    """Wrap long lines between words; a line that begins with a blank is a path or a command and stays whole."""
    lines = list[str]()
    for line in visible(text).splitlines():
        hanging = "  " if line.startswith(("- ", "! ")) else ""
        is_whole = line.startswith(" ")
        parts = wrap(line, width, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False)
        lines += [line] if is_whole else parts or [""]
    return "\n".join(lines)


def is_terminal() -> bool:
    """Whether stdin and stdout are a terminal that can ask questions."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"

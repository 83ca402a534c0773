"""Printing: results go to stdout, messages to stderr; the one place of the wizard that prints.

What is printed holds names and texts out of files, so control characters and the like are made visible on their way;
and commands in backticks, which name `loracle`, become those that this user types.
"""

from __future__ import annotations

import errno
import json
import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from shutil import get_terminal_size
from textwrap import wrap
from typing import TYPE_CHECKING, Any, TextIO

from advisor.errors import LoraError
from advisor.files import DISK_FULL
from advisor.shown_text import visible, visible_line
from wizard.own_command import as_typed

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

WIDEST = 100
"""Columns; text is wrapped here in wider terminals."""
NOTICE_VARIABLE = "LORACLE_NOTICE"
"""`off`: no sign at the end of a training; `bell`: the terminal's bell alone."""
NARROWEST = 40
"""Columns that the tables need; assumed in narrower terminals."""
WHOLE = re.compile(
    r"`[^`]*`"
    r'|(?<!\S)"[^"\n]*"'
    r'|(?<![^\s("])(?:[/~]|[A-Za-z]:[\\/]|\\\\)(?:[^/\\\n:;"`]*[^/\\\n:;"`\s][/\\])+[^\s/\\]*'
)
"""What is never broken, since a copy of it would be: a command to type, a path in quotes, and one without as far as its
last separator tells."""
KEPT_BLANK = "\x00"
"""Stands for a blank of it while lines are broken; no text that is shown has one."""
NO_ROOM = (*DISK_FULL, errno.EFBIG, errno.EIO)
"""Output goes to a file whose disk is full, or that may not become larger, or to a terminal that was closed."""


NAME: ContextVar[str] = ContextVar("NAME", default="")
"""What each line begins with, where several trainings print at the same time, each from a thread of its own."""
PRINTING = threading.RLock()
"""Held while something is printed, so that no line comes within another."""


class OutputLost(LoraError):
    """Stdout goes to a file that takes no more; from now on what is printed there is dropped."""


@contextmanager
def named_output(name: str) -> Iterator[None]:
    """Within, in this thread, each line that is printed begins with `[name]`."""
    token = NAME.set(f"[{visible_line(name)}] " if name else "")
    try:
        yield
    finally:
        NAME.reset(token)


def is_named() -> bool:
    """Whether what this thread prints is told from what others print by a name."""
    return bool(NAME.get())


def _with_name(text: str) -> str:
    name = NAME.get()
    return "\n".join(f"{name}{line}" if line else "" for line in text.splitlines()) if name else text


def say(text: str, *, end: str = "\n") -> None:
    """Print a message on stderr, wrapped between words if that is a terminal; it is lost where there is no room."""
    text = wrapped(text, columns()) if sys.stderr.isatty() and end == "\n" else visible(as_typed(text))
    try:
        with PRINTING:
            print(_with_name(text), file=sys.stderr, flush=True, end=end)  # noqa: T201
    except OSError as error:
        drop_output(sys.stderr)
        if error.errno not in NO_ROOM:
            raise


def redraw(text: str) -> None:
    """Print a line on stderr in place of the one that was drawn before; an empty one takes it away.

    Nothing is printed where stderr is no terminal, or several trainings print there.
    """
    if sys.stderr.isatty() and not is_named():
        width = columns() - 1
        with suppress(OSError):
            print(f"\r{visible_line(text)[:width]:<{width}}\r", file=sys.stderr, flush=True, end="")  # noqa: T201


def print_json(document: object) -> None:
    """Print a command's JSON document on stdout, escaped to ASCII."""
    text = json.dumps(document, indent=2, allow_nan=False)
    with _losing_none():
        print(text, flush=True)  # noqa: T201


def print_json_line(document: object) -> None:
    """Print a document on stdout as one line, escaped to ASCII, for commands that print one after another."""
    with _losing_none():
        print(json.dumps(document, allow_nan=False), flush=True)  # noqa: T201


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
    # Beside a bar rich takes what goes to stderr, to print it above the bar with its signs made visible.
    terminal_itself = getattr(sys.stderr, "rich_proxied_file", sys.stderr)
    with suppress(OSError):  # a terminal that is gone
        print(f"{notice}\a", file=terminal_itself, flush=True, end="")


def show(view: object) -> None:
    """Print a text or table on stdout, coloured where the terminal can; texts are wrapped between words."""
    if isinstance(view, str):
        show_plain(wrapped(view, columns()))
        return
    with _losing_none():
        console().print(view)


def show_plain(text: str) -> None:
    """Print a text on stdout as it is, without loading rich."""
    with _losing_none():
        print(_with_name(visible(as_typed(text))), flush=True)  # noqa: T201


def show_if_possible(text: str) -> None:
    """The same as `show` for what is told on the way: where there is no room for it, that is said on stderr, once."""
    try:
        show(text)
    except OutputLost as lost:
        say(f"! {lost}")


def open_missing_streams() -> None:
    """Open stdin, stdout and stderr on nothing, where the process was started without: `loracle ... >&-`.

    Else the next file that is opened gets their number, and what other libraries print goes into it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123


def drop_output(stream: TextIO) -> None:
    """Let a stream that takes no more lead nowhere; Python would complain at its own end of what is left in it."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextmanager
def _losing_none() -> Iterator[None]:
    """Within, stdout is written to.

    Raises:
        OutputLost: it goes to a file that takes no more.
        BrokenPipeError: its reader has gone.
    """
    try:
        with PRINTING:
            yield
    except OSError as error:
        drop_output(sys.stdout)
        if error.errno not in NO_ROOM:
            raise
        mend = "free some space on that disk, or let it print elsewhere"
        raise OutputLost(f"What is printed cannot be written: {error.strerror}: {mend}") from error


def console(file: TextIO | None = None) -> Console:
    """A rich console of a readable width without markup, highlighting and emoji; it heeds `NO_COLOR` and TERM=dumb."""
    from rich.console import Console
    from rich.segment import Segment

    class InertConsole(Console):
        """Makes steering characters visible in whatever is drawn, but for rich's own."""

        def render_str(self, text: str, **how: Any) -> Text:
            """A text with its look; made visible before it is measured."""
            return super().render_str(visible(as_typed(text)), **how)

        def render(self, renderable: Any, options: Any = None) -> Iterator[Segment]:
            """The pieces that the renderable is drawn with."""
            for segment in super().render(renderable, options):
                yield segment if segment.control else Segment(visible(segment.text), segment.style)

        def on_broken_pipe(self) -> None:
            """Leave it to who prints; rich would end the process, with an exit code of its own."""
            raise  # noqa: PLE0704  (it is called while the error is handled)

    found = InertConsole(file=file, highlight=False, markup=False, emoji=False, soft_wrap=False)
    found.width = max(NARROWEST, min(found.width, WIDEST))
    return found


def columns() -> int:
    """The width to wrap at: the terminal's, within NARROWEST and WIDEST."""
    return max(NARROWEST, min(get_terminal_size().columns, WIDEST) - len(NAME.get()))


def wrapped(text: str, width: int) -> str:
    """Wrap long lines between words; a line that begins with a blank is a path or a command and stays whole."""
    lines = list[str]()
    for line in visible(as_typed(text)).splitlines():
        hanging = "  " if line.startswith(("- ", "! ")) else ""
        is_whole = line.startswith(" ")
        lines += [line] if is_whole else wrapped_words(line, width, later=hanging)
    return "\n".join(lines)


def wrapped_words(text: str, width: int, *, later: str) -> list[str]:
    """A line in lines of this width, broken between words alone, and never within a command in backticks.

    Args:
        later: put before each further line.
    """
    whole = WHOLE.sub(lambda found: found[0].replace(" ", KEPT_BLANK), visible(as_typed(text)))
    first = whole[: len(whole) - len(whole.lstrip(" "))]
    lines = wrap(
        whole[len(first) :], width, initial_indent=first, subsequent_indent=later,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return [line.replace(KEPT_BLANK, " ") for line in lines] or [""]


def is_terminal() -> bool:
    """Whether stdin and stdout are a terminal that can ask questions."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"

"""Paths as users enter them: typed, pasted, or dropped on the terminal."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

INVISIBLE = "\u200b\u200e\u200f\u202a\u202b\u202c\u2066\u2069\ufeff"
"""Zero-width and direction marks that Windows' property dialog and web pages put around copied text."""

ESCAPED = re.compile(r"\\([^0-9A-Za-z])")
"""A shell's escape: a backslash before anything but a letter or digit; before these it separates Windows folders."""

FILE_URL = re.compile(r"file:/{1,3}(?P<rest>.*)", re.IGNORECASE | re.DOTALL)


WHOLE_PATH = re.compile(r"""['"/~]|\\\\|file:/|[A-Za-z]:[\\/]|& ['"]""", re.IGNORECASE)
"""What a path begins with that needs nothing before it."""


def given_path(text: str) -> Path:
    """The path without the quotes and escapes of drag and drop, `~` expanded."""
    return Path(os.path.expanduser(plain_path(text, windows=sys.platform == "win32")))  # noqa: PTH111  (that raises)


def absolute_path(text: str) -> Path:
    """`given_path` made absolute and without `..`; links are not followed."""
    return Path(os.path.abspath(given_path(text)))  # noqa: PTH100  (resolve() follows links, absolute() keeps `..`)


def is_whole_path(text: str) -> bool:
    """Whether this is a path by itself, as a drop or a paste is, and no more of one: quoted, absolute, or `file:`."""
    return WHOLE_PATH.match(text.strip().strip(INVISIBLE).strip()) is not None


def without_refused(line: str, before: str, exists: Callable[[str], bool]) -> str:
    """The line of a terminal that types what is dropped: a path dropped behind what stood there takes its place.

    Args:
        before: what stood in the line when the question was asked.
        exists: whether something is at a path, as typed.
    """
    dropped = line.removeprefix(before)
    if not before or not line.startswith(before) or not is_whole_path(dropped) or exists(line):
        return line
    return dropped if exists(dropped) or dropped.strip()[0] in "'\"&" else line


def plain_path(text: str, *, windows: bool) -> str:
    """`text` without the quotes, escapes and `file:` that terminals, shells and file managers add to a path.

    Args:
        windows: a backslash separates folders and never escapes.
    """
    path = text.strip().strip(INVISIBLE).strip()
    if path.startswith(("& '", '& "')):  # PowerShell's way to call a dropped file
        path = path[2:].strip()
    if len(path) > 1 and path[0] == path[-1] and path[0] in "'\"":
        return _from_url(_unquoted(path))
    if path.lower().startswith("file:/"):
        return _from_url(path)
    return path if windows else ESCAPED.sub(r"\1", path)


def _unquoted(path: str) -> str:
    quote, inner = path[0], path[1:-1]
    if quote == "'":
        # POSIX shells close, escape and open again; PowerShell doubles.
        return inner.replace("'\\''", "'").replace("''", "'")
    return inner


def _from_url(path: str) -> str:
    match = FILE_URL.fullmatch(path)
    if match is None:
        return path
    rest = unquote(match["rest"])
    if path.lower().startswith("file://") and not path.lower().startswith("file:///"):
        host, _, rest = rest.partition("/")
        if host not in ("", "localhost"):
            return f"//{host}/{rest}"
    rest = rest.lstrip("/")
    return rest if re.match(r"[A-Za-z]:", rest) else f"/{rest}"

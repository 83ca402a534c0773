"""Paths as people hand them over: typed, pasted, or dropped on the terminal."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

INVISIBLE = "\u200b\u200e\u200f\u202a\u202b\u202c\u2066\u2069\ufeff"
"""Marks that Windows' property dialog and web pages put around copied text."""

ESCAPED = re.compile(r"\\([^0-9A-Za-z])")
"""A backslash before a blank or a sign, as a shell writes it; before a letter it parts folders, as Windows has it."""

FILE_URL = re.compile(r"file:/{1,3}(?P<rest>.*)", re.IGNORECASE | re.DOTALL)


def given_path(text: str) -> Path:
    """The path that a text names: freed of drag-and-drop's quotes and escapes, `~` replaced by the home folder."""
    return Path(os.path.expanduser(plain_path(text, windows=sys.platform == "win32")))  # noqa: PTH111  (that raises)


def absolute_path(text: str) -> Path:
    """The same from the root on, so that it holds in whatever folder it is looked at; links are not followed."""
    return Path(os.path.abspath(given_path(text)))  # noqa: PTH100  (resolve() follows links, absolute() keeps `..`)


def plain_path(text: str, *, windows: bool) -> str:
    """`text` without what terminals, shells and file managers wrap around a path.

    Args:
        windows: backslashes part folders and never escape.
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
    from urllib.parse import unquote

    rest = unquote(match["rest"])
    if path.lower().startswith("file://") and not path.lower().startswith("file:///"):
        host, _, rest = rest.partition("/")
        if host not in ("", "localhost"):
            return f"//{host}/{rest}"
    rest = rest.lstrip("/")
    return rest if re.match(r"[A-Za-z]:", rest) else f"/{rest}"

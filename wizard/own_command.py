"""How the user calls Loracle, for messages that name a command."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path

COMMAND_VARIABLE = "LORACLE_COMMAND"
"""What start.py sets: whoever starts Loracle through it has no `loracle` on the path."""


def own_command(*arguments: str | Path) -> str:
    """The command line to type, paths quoted: `loracle train "my run"`, or `python3 start.py train "my run"`."""
    words = [os.environ.get(COMMAND_VARIABLE, "") or "loracle"]
    words += [quoted(str(argument)) if isinstance(argument, Path) else argument for argument in arguments]
    return " ".join(words)


def quoted(path: str) -> str:
    """In quotes that every shell takes; with signs that shells look at within these, in those of this system's own."""
    if not re.search(r'[$`"!\\]' if sys.platform != "win32" else r"[$`]", path):
        return f'"{path}"'
    return shlex.quote(path) if sys.platform != "win32" else "'" + path.replace("'", "''") + "'"


def as_typed(message: str) -> str:
    """A message with the commands in backticks as this user types them."""
    return message.replace("`loracle ", f"`{own_command()} ")

"""The command by which the user started Loracle, for messages that name commands."""

from __future__ import annotations

import os
from pathlib import Path

from advisor.shell import quoted

COMMAND_VARIABLE = "LORACLE_COMMAND"
"""Set by start.py, whose users have no `loracle` on PATH."""


def own_command(*arguments: str | Path) -> str:
    """A command line to type, paths quoted: `loracle train "my run"`, or `python3 start.py train "my run"`."""
    words = [os.environ.get(COMMAND_VARIABLE, "") or "loracle"]
    words += [quoted(str(argument)) if isinstance(argument, Path) else argument for argument in arguments]
    return " ".join(words)


def as_typed(message: str) -> str:
    """The message with `loracle` replaced by this user's command wherever it begins a command in backticks."""
    return message.replace("`loracle ", f"`{own_command()} ")

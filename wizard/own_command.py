"""How the user calls Loracle, for messages that name a command."""

from __future__ import annotations

import os
from pathlib import Path

from advisor.shell import quoted

COMMAND_VARIABLE = "LORACLE_COMMAND"
"""What start.py sets: whoever starts Loracle through it has no `loracle` on the path."""


def own_command(*arguments: str | Path) -> str:
    """The command line to type, paths quoted: `loracle train "my run"`, or `python3 start.py train "my run"`."""
    words = [os.environ.get(COMMAND_VARIABLE, "") or "loracle"]
    words += [quoted(str(argument)) if isinstance(argument, Path) else argument for argument in arguments]
    return " ".join(words)


def as_typed(message: str) -> str:
    """A message with the commands in backticks as this user types them."""
    return message.replace("`loracle ", f"`{own_command()} ")

"""The entry point of `loracle`. It imports the first question's modules or the command line's, never both."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from wizard.output import drop_output, open_missing_streams, say
from wizard.own_command import own_command

COMPLETION_VARIABLE = "_LORACLE_COMPLETE"
"""Set by a shell that asks how a command line goes on; its words are in other variables."""
UNPRINTED = 2
"""The exit code where help cannot be printed, as onto a full disk, or completion not be installed."""
INSTALL_COMPLETION, SHOW_COMPLETION = "--install-completion", "--show-completion"
"""Typer's own options."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its exit code.

    Args:
        arguments: without the program's name; None: the process's own.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    open_missing_streams()
    _escape_unencodable()
    if given in ([], ["new"]) and COMPLETION_VARIABLE not in os.environ:
        from wizard.commands.new import new
        from wizard.exit_codes import exit_on_error

        with exit_on_error():
            new()
        return
    from wizard.app import app

    try:
        app(args=given, prog_name="loracle")
    except UnicodeDecodeError:
        if INSTALL_COMPLETION not in given:
            raise
        say(
            "Completion was not installed: your shell's start-up file (such as ~/.bashrc) is not in UTF-8. It is as it "
            f"was; `{own_command(SHOW_COMPLETION)}` prints what to add to it"
        )
        sys.exit(UNPRINTED)
    except OSError:  # of what typer prints itself, --help: each command has handled its own
        drop_output(sys.stdout)
        sys.exit(UNPRINTED)


def _escape_unencodable() -> None:
    """Make stdout and stderr escape characters that their encoding lacks, instead of raising."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    main()

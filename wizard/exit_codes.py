"""Exit codes, and the context manager that turns an exception into a message and its exit code."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from advisor.errors import LoraError, OutOfMemory
from wizard.output import drop_output, say

STOPPED = 3
"""Training stopped itself; also out of memory once the ladder has no rung left."""
INTERRUPTED = 130
"""Ctrl-C or SIGTERM, after the work was saved."""
DEFECT = 1
"""A bug in Loracle."""
OUR_MISTAKE = "This is a mistake in Loracle, not yours. Please report it with the lines above."


class TrainerBroke(Exception):  # no LoraError: its message is for a bug report
    """The trainer process failed by a bug of ours."""


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Print a LoraError and exit with its code; of any other exception print the traceback and exit with DEFECT, unless
    the current folder is gone, which is told as wrong input.

    Ctrl-C exits with INTERRUPTED; a closed stdout (`loracle ... | head`) with 0 and no message.
    """
    try:
        yield
    except (KeyboardInterrupt, EOFError) as interrupted:
        _say_last(str(interrupted) or "Interrupted.")
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader of our output (`head`, a pager) has gone
        drop_output(sys.stdout)
        sys.exit(0)
    except Exception as error:
        sys.exit(tell_failure(error))


def tell_failure(error: Exception) -> int:
    """Print what failed, as `exit_on_error` says; gives the exit code."""
    if isinstance(error, LoraError):
        _say_last(str(error))
        return exit_code(error)
    if not isinstance(error, TrainerBroke) and not _is_somewhere():
        _say_last("The folder that this terminal is in is gone: change into another one, e.g. with cd")
        return LoraError.exit_code
    _say_last(str(error) if isinstance(error, TrainerBroke) else "".join(traceback.format_exception(error)))
    _say_last(OUR_MISTAKE)
    return DEFECT


def _say_last(text: str) -> None:
    """Say something, if anybody can be told: the exit code counts."""
    with suppress(OSError):
        say(text)


def _is_somewhere() -> bool:
    """Whether the current folder is there, without which no relative path means anything."""
    try:
        Path.cwd()
    except OSError:
        return False
    return True


def exit_code(error: LoraError) -> int:
    """The process's exit code for this error."""
    return STOPPED if isinstance(error, OutOfMemory) else error.exit_code

"""How a command ends: the exit codes, and what is said with them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from advisor.errors import LoraError, OutOfMemory
from wizard.output import say
from wizard.own_command import as_typed

STOPPED = 3
"""Training stopped itself; also out of memory, as long as nothing is left to try."""
INTERRUPTED = 130
"""The user ended it, and the work is saved."""
DEFECT = 1
"""A mistake of ours."""
OUR_MISTAKE = "This is a mistake in Loracle, not yours. Please report it with the lines above."


class TrainerBroke(Exception):  # no Error: its message is for a report
    """The trainer ended by a mistake of ours."""


@contextmanager
def told() -> Iterator[None]:
    """Within: what a user did wrong is told in a sentence, and the process ends with the code that belongs to it."""
    try:
        yield
    except LoraError as error:
        say(as_typed(str(error)))
        sys.exit(exit_code(error))
    except (KeyboardInterrupt, EOFError) as interrupted:
        say(str(interrupted) or "Interrupted.")
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output (`head`, a pager) has gone; Python would complain at its own end too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except TrainerBroke as broke:
        say(str(broke))
        say(OUR_MISTAKE)
        sys.exit(DEFECT)
    except Exception:
        import traceback

        say(traceback.format_exc())
        say(OUR_MISTAKE)
        sys.exit(DEFECT)


def exit_code(error: LoraError) -> int:
    """What the process ends with after this error."""
    return STOPPED if isinstance(error, OutOfMemory) else error.exit_code

"""The process that started this one and follows it: when it dies, however it dies, this one saves and ends.

A launcher keeps the writing end of a pipe at this process's standard input and never writes. The system closes it with
the launcher's death, and what is read here then is the end. A process that was started by hand has no launcher.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

LAUNCHER_VARIABLE = "LORACLE_LAUNCHER"
"""The environment variable by which a launcher tells its child that it follows it."""
GONE = "the program that started it has ended"


def follow_launcher(ask_to_end: Callable[[str], None]) -> bool:
    """Call `ask_to_end` once the launcher has died, from another thread; False, and nothing else, where there is none.

    Args:
        ask_to_end: takes why; continues "because ...".
    """
    if os.environ.pop(LAUNCHER_VARIABLE, None) is None:  # popped: it is not meant for what is started from here
        return False
    try:
        pipe = os.dup(0)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)  # nobody else reads the pipe; on Windows who starts with it would wait for a read here
        os.close(nothing)
    except OSError:  # no standard input at all
        return True
    threading.Thread(target=_wait_for_the_end, args=(pipe, ask_to_end), daemon=True).start()
    return True


def _wait_for_the_end(pipe: int, ask_to_end: Callable[[str], None]) -> None:
    try:
        while os.read(pipe, 1024):
            pass
    except OSError:  # on Windows a pipe that broke
        pass
    ask_to_end(GONE)

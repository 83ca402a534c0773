"""Whether a process of this machine still runs."""

from __future__ import annotations

import psutil

CLOCK_SECONDS = 60.0
"""A process may seem to have begun so much later than it did: the system counts from its start, whose time is set."""


def is_running(pid: int, *, since: float) -> bool:
    """Whether the process that had this id at a time still runs; another that got its id later is not it.

    Args:
        since: unix seconds.
    """
    try:
        process = psutil.Process(pid)
        return process.create_time() <= since + CLOCK_SECONDS and process.status() != psutil.STATUS_ZOMBIE
    except psutil.AccessDenied:
        return True
    except (psutil.Error, ValueError, OverflowError):
        return False

"""A sign at the end of long work, for somebody who looks elsewhere by then."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from wizard.output import notify

LONG_SECONDS = 30.0
"""After less than this nobody has gone away."""


@contextmanager
def announced_end(name: str) -> Iterator[None]:
    """Within, long work is done on what has this name; its end is announced, but not where the user ends it."""
    began = time.monotonic()
    try:
        yield
    except Exception:
        _announce(f"Loracle: {name} has stopped, look at the terminal", began)
        raise
    _announce(f"Loracle: {name} is done", began)


def _announce(text: str, began: float) -> None:
    if time.monotonic() - began >= LONG_SECONDS:
        notify(text)

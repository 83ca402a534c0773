"""How much work something is, by the processor's own time: other work on the machine does not count."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """What the block does takes no more of this process's time; give some ten times what it takes."""
    began = time.process_time()
    yield
    assert time.process_time() - began < seconds

"""Importing the large libraries: hundreds of thousands of objects that stay until the process ends."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """Within, libraries are imported, and what there is afterwards is kept (`keep_imported`).

    Python's collector of cycles otherwise walks through all of it again and again as it grows.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        keep_imported()
        if was_on:
            gc.enable()


def keep_imported() -> None:
    """Keep all objects that there are until the process ends, without another look at them by the collector of cycles.

    Its last look, at the end, takes a second of what torch and its like consist of. Done once in a process.
    """
    if not gc.get_freeze_count():
        gc.freeze()

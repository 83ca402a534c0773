"""Who exports into a folder outside a run: one at a time, since each export clears what the one before left there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from advisor.data_folder import data_folder
from advisor.errors import RunError
from advisor.run_folder.lock import Holder, RunInUse
from advisor.run_folder.os_lock import Held, NoLocks, OsLock
from advisor.same_place import resolved

DIGITS = 16


@contextmanager
def exporting(folder: Path, what: str) -> Iterator[None]:
    """Within, this process alone exports into `folder`; the lock lies in the user's data folder, and where that cannot
    be written or has no locks nothing is held.

    Args:
        what: what this process does, as the user would say it.

    Raises:
        RunInUse: another process exports there; it is named.
    """
    name = sha256(os.fsencode(resolved(folder))).hexdigest()[:DIGITS]
    path = data_folder() / f"exporting-{name}"
    lock = None
    try:
        lock = OsLock.take(path, Holder.this_process(what).text)
    except Held:
        raise RunInUse(f"{folder} is in use: {Holder.read(path) or 'another process'} writes there") from None
    except (NoLocks, RunError):
        pass
    try:
        yield
    finally:
        if lock is not None:
            lock.release()

"""Findings that the user keeps as they are, in the user's data folder: by the folder of pictures that they are of."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from advisor.data_folder import data_folder
from advisor.dataset.doctor.examine import Waiver
from advisor.errors import RunError
from advisor.files import read_bounded
from advisor.json_text import Malformed, parse_json
from advisor.run_folder.keep import write_own
from advisor.run_folder.lock import Holder
from advisor.run_folder.os_lock import Held, NoLocks, OsLock

WAIVERS_NAME = "waivers.json"
LOCK_NAME = "waivers.lock"
MOST_BYTES = 16 * 1024**2
FIELDS = {"code", "file", "reason"}
PATIENCE_SECONDS, POLL_SECONDS = 5.0, 0.05


def read_waivers(root: str) -> tuple[Waiver, ...]:
    """The waivers for a folder; none where the file is not there or damaged."""
    return tuple(Waiver(**{name: one[name] for name in FIELDS}) for one in _all().get(root, []) if _is_readable(one))


def add_waivers(root: str, waivers: tuple[Waiver, ...]) -> None:
    """Keep more of them; one of the same code and file is replaced.

    Raises:
        RunError: the file cannot be written.
    """
    with _alone():
        kept = {(one.code, one.file): one for one in (*read_waivers(root), *waivers)}
        tree = _all() | {root: [asdict(one) for one in kept.values()]}
        write_own(_path(), json.dumps(tree, indent=1) + "\n", _are_waivers)


@contextmanager
def _alone() -> Iterator[None]:
    """Within, no other command changes the file, so that none of two waivers is lost; after a while all the same."""
    lock, deadline = None, time.monotonic() + PATIENCE_SECONDS
    while lock is None and time.monotonic() < deadline:
        try:
            lock = OsLock.take(data_folder() / LOCK_NAME, Holder.this_process("waivers").text)
        except Held:
            time.sleep(POLL_SECONDS)
        except (NoLocks, RunError):
            break
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


def _are_waivers(content: bytes) -> bool:
    """Whether they are waivers and nothing else; a file that the user edited badly, wrote more into, or another one of
    that name, is none.
    """
    try:
        tree = parse_json(content)
    except Malformed:
        return False
    return isinstance(tree, dict) and all(
        isinstance(found, list) and all(_is_readable(one) and one.keys() == FIELDS for one in found)
        for found in tree.values()
    )


def _is_readable(one: Any) -> bool:
    return isinstance(one, dict) and all(isinstance(one.get(name), str) for name in FIELDS)


def _all() -> dict[str, list[Any]]:
    try:
        tree = parse_json(read_bounded(_path(), MOST_BYTES))
    except (OSError, Malformed):
        return {}
    if not isinstance(tree, dict):
        return {}
    return {root: found for root, found in tree.items() if isinstance(root, str) and isinstance(found, list)}


def _path() -> Path:
    return data_folder() / WAIVERS_NAME

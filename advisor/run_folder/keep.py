"""Keeping what the user has at a place that Loracle writes to: under a second name beside it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path

from advisor.errors import RunError
from advisor.files import open_regular, write_atomically

MOST_HEAD_BYTES = 64 * 1024**2
"""Of a file so much is looked at to tell whose it is."""


def keep_beside(path: Path) -> Path:
    """Keep a file under a free name beside it: `NAME.bak`, `NAME.bak2`, ...; `path` stays too.

    Raises:
        RunError: it cannot be kept.
    """
    for number in count(1):
        kept = path.with_name(f"{path.name}.bak{number if number > 1 else ''}")
        if os.path.lexists(kept):
            continue
        try:
            _link_or_copy(path, kept)
        except FileExistsError:
            continue
        except OSError as error:
            raise RunError(
                f"{path} cannot be kept as {kept.name}: {error.strerror or error}: free some space, or move it away"
            ) from error
        return kept
    raise AssertionError("numbers never end")


def kept_sentence(kept: Path) -> str:
    """What is said of a file of the user's that was replaced."""
    return f"What was there before is kept as {kept}."


def write_own(path: Path, content: str | bytes, is_ours: Callable[[bytes], bool]) -> None:
    """Put a record of Loracle's at `path`; a file there that is none is kept beside it first.

    For records that no note is taken of: their name alone tells whose they are, and the user may have a file of that
    name, e.g. where LORACLE_DATA is a folder of theirs.

    Args:
        is_ours: whether bytes are such a record; a file longer than MOST_HEAD_BYTES is handed over cut off.

    Raises:
        RunError: it cannot be written, or what is there cannot be kept.
    """
    if os.path.lexists(path) and not _is_own(path, is_ours):
        keep_beside(path)
    write_atomically(path, content)


def delete_own(path: Path, is_ours: Callable[[bytes], bool]) -> None:
    """Delete such a record, if that can be; a file that is none stays."""
    try:
        if _is_own(path, is_ours):
            path.unlink(missing_ok=True)
    except OSError:
        return


def _is_own(path: Path, is_ours: Callable[[bytes], bool]) -> bool:
    """Whether it is ours, or holds nothing; a link is the user's."""
    if path.is_symlink():
        return False
    try:
        with open_regular(path) as file:
            head = file.read(MOST_HEAD_BYTES)
    except OSError:
        return False
    return not head or is_ours(head)


def _link_or_copy(path: Path, kept: Path) -> None:
    """The file itself under a second name, so that replacing the first leaves it; a copy where there are no links."""
    try:
        os.link(path, kept, follow_symlinks=False)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError):
        shutil.copy2(path, kept, follow_symlinks=False)

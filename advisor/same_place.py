"""Whether two names are of one file or folder: links, mounts and, on some disks, the case of letters make it so."""

from __future__ import annotations

import os
from pathlib import Path

Identity = tuple[int, int]
"""The disk, and the number of a file or folder there: what all its names have in common."""


def resolved(path: Path) -> Path:
    """The absolute path without links; where links lead round in a ring, as far as they can be followed.

    Unlike `Path.resolve`, which raises a RuntimeError there until Python 3.13.
    """
    return Path(os.path.realpath(path))


def identity(path: Path, *, follow_links: bool = True) -> Identity | None:
    """Of what is at `path`, or where its links lead; None where nothing is, or it cannot be looked at."""
    try:
        found = path.stat(follow_symlinks=follow_links)
    except (OSError, ValueError):  # a ValueError: a name that no system has
        return None
    return found.st_dev, found.st_ino


def is_same(one: Path, other: Path) -> bool:
    """Whether two names are of one file or folder; they need not be there."""
    if resolved(one) == resolved(other):
        return True
    found = identity(one)
    return found is not None and found == identity(other)


def lies_in(path: Path, folder: Path) -> bool:
    """Whether `path` is a folder or lies in it; neither need be there."""
    place, around = resolved(path), resolved(folder)
    if place.is_relative_to(around):
        return True
    wanted = identity(around)
    return wanted is not None and any(identity(one) == wanted for one in (place, *place.parents))

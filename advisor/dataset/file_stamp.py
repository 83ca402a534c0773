"""By what a file is known again without reading it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from advisor.files import modified_ns

MOST_NUMBER = 2**63
"""A file's number is kept within what SQLite and JSON's readers hold."""


class Stamp(NamedTuple):
    """A file's size, time and number: pictures that are numbered anew may have all but the last in common."""

    num_bytes: int
    modified_ns: int
    """When it was last changed, in nanoseconds."""
    number: int = 0
    """Of the file on its disk, whatever it is called (`st_ino`); 0: not known."""

    def is_of(self, earlier: Stamp) -> bool:
        """Whether the file is the one that had this stamp earlier, unchanged."""
        is_one_file = 0 in (self.number, earlier.number) or self.number == earlier.number
        return is_one_file and self[:2] == earlier[:2]


def stamp_of(path: Path) -> Stamp | None:
    """A file's stamp; None where it cannot be looked at."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return Stamp(found.st_size, modified_ns(found), found.st_ino % MOST_NUMBER)

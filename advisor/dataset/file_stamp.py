"""By what a file is known again without reading it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from advisor.files import modified_ns

MOST_NUMBER = 2**63
"""A file's number is kept within what SQLite and JSON's readers hold."""


class Stamp(NamedTuple):
    """A file's size, times and number: pictures that are numbered anew may have size and time in common."""

    num_bytes: int
    modified_ns: int
    """When it was last changed, in nanoseconds."""
    number: int = 0
    """Of the file on its disk, whatever it is called (`st_ino`); 0: not known."""
    touched_ns: int = 0
    """When anything of it was changed, its name or a link to it included (`st_ctime`, which no program sets; on Windows
    when it was made); 0: not known."""

    def is_of(self, earlier: Stamp) -> bool:
        """Whether the file is the one that had this stamp earlier, unchanged, as far as that stamp tells."""
        told = all(was in (0, now) for now, was in zip(self[2:], earlier[2:], strict=True))
        return told and self[:2] == earlier[:2]

    def is_surely(self, earlier: Stamp) -> bool:
        """The same where the earlier stamp tells all: no other file can have come to its path unseen."""
        return 0 not in earlier[2:] and self.is_of(earlier)


def stamp_of(path: Path) -> Stamp | None:
    """A file's stamp; None where it cannot be looked at."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    touched = max(0, min(found.st_ctime_ns, MOST_NUMBER - 1))
    return Stamp(found.st_size, modified_ns(found), found.st_ino % MOST_NUMBER, touched)

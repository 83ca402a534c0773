"""Which entries of a cache were found whole, so that a start with tens of thousands of them opens none.

An entry counts as long as its file has the size and times that it had then (`advisor.dataset.file_stamp`). The checksum
is compared all the same whenever an entry is read.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from advisor.dataset.file_stamp import Stamp, stamp_of
from advisor.errors import RunError
from advisor.files import read_bounded, write_atomically

NAME = "whole.txt"
"""In the cache's folder: a line for each entry, its key and its file's stamp."""
MOST_BYTES = 256 * 1024**2
"""Some two million entries."""
FIELDS = 1 + len(Stamp._fields)


class CacheIndex:
    """The entries of a folder that were found whole."""

    def __init__(self, folder: Path) -> None:
        """Read what is kept in the folder; what cannot be read counts as nothing."""
        self._file = folder / NAME
        self._whole = _read(self._file)
        self._is_changed = False

    def has(self, key: str, path: Path) -> bool:
        """Whether the entry of this key, at `path`, was found whole and is unchanged since."""
        known = self._whole.get(key)
        found = None if known is None else stamp_of(path)
        return known is not None and found is not None and found.is_surely(known)

    def add(self, key: str, path: Path) -> None:
        """The entry was just found whole, or written."""
        if (stamp := stamp_of(path)) is not None:
            self._whole[key] = stamp
            self._is_changed = True

    def drop(self, key: str) -> None:
        """The entry is damaged."""
        if self._whole.pop(key, None) is not None:
            self._is_changed = True
            self.write()

    def write(self) -> None:
        """Keep it, if it changed and that can be: without it entries are read once more."""
        if self._is_changed:
            text = "".join(f"{key} {' '.join(map(str, stamp))}\n" for key, stamp in self._whole.items())
            with suppress(RunError):
                write_atomically(self._file, text)
                self._is_changed = False


def _read(file: Path) -> dict[str, Stamp]:
    found = dict[str, Stamp]()
    with suppress(OSError, ValueError):
        for line in read_bounded(file, MOST_BYTES).decode("ascii").splitlines():
            fields = line.split(" ")
            if len(fields) == FIELDS:
                found[fields[0]] = Stamp(*map(int, fields[1:]))
    return found

"""What was measured of pictures, kept in the user's data folder: a second look at a folder takes seconds.

A picture is known by its path, size and time of change.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from advisor.data_folder import data_folder
from advisor.dataset.doctor.pixel_facts import FACTS_VERSION, PixelFacts, as_plain, from_text

CACHE_NAME = "pictures.sqlite"
MOST_KEPT = 200_000
"""Pictures; those measured first are forgotten first."""
TABLE = """
CREATE TABLE IF NOT EXISTS pictures (
    path TEXT PRIMARY KEY, size INTEGER, changed INTEGER, version INTEGER, facts BLOB
)
"""


@dataclass(frozen=True)
class Stamp:
    """By what an unchanged file is known."""

    size: int
    changed_ns: int

    @classmethod
    def of(cls, path: Path) -> Stamp | None:
        """The file's stamp; None where it cannot be looked at."""
        try:
            status = path.stat()
        except OSError:
            return None
        return cls(status.st_size, status.st_mtime_ns)


class PictureCache:
    """The database. Where it cannot be read or written, nothing is known and nothing is kept."""

    def __init__(self, folder: Path | None = None) -> None:
        """Use the file in `folder`; None: in the user's data folder."""
        self._path = (folder or data_folder()) / CACHE_NAME
        self._database: sqlite3.Connection | None = None

    def __enter__(self) -> PictureCache:
        """Open it; a damaged file is begun anew."""
        for _ in range(2):
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._database = sqlite3.connect(self._path, timeout=5)
                self._database.execute(TABLE)
                return self
            except (sqlite3.Error, OSError):
                self._close()
                with suppress(OSError):
                    self._path.unlink(missing_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keep what was put, forget what is too much, and close."""
        self.save()
        with suppress(sqlite3.Error):
            if self._database is not None:
                newest = "SELECT path FROM pictures ORDER BY rowid DESC LIMIT ?"
                self._database.execute(f"DELETE FROM pictures WHERE path NOT IN ({newest})", (MOST_KEPT,))
                self._database.commit()
        self._close()

    def get(self, path: Path, stamp: Stamp) -> PixelFacts | None:
        """What is known of an unchanged file."""
        if self._database is None:
            return None
        where = "path = ? AND size = ? AND changed = ? AND version = ?"
        values = (_key(path), stamp.size, stamp.changed_ns, FACTS_VERSION)
        try:
            with closing(self._database.execute(f"SELECT facts FROM pictures WHERE {where}", values)) as rows:
                row = rows.fetchone()
        except sqlite3.Error:
            return None
        return from_text(row[0]) if row and isinstance(row[0], bytes) else None

    def put(self, path: Path, stamp: Stamp, facts: PixelFacts) -> None:
        """Keep what was measured; it lasts from the next `save` on."""
        if self._database is None:
            return
        text = json.dumps(as_plain(facts)).encode()
        row = (_key(path), stamp.size, stamp.changed_ns, FACTS_VERSION, text)
        with suppress(sqlite3.Error):
            self._database.execute("INSERT OR REPLACE INTO pictures VALUES (?, ?, ?, ?, ?)", row)

    def save(self) -> None:
        """Write what was put, so that an interrupted run goes on from there."""
        with suppress(sqlite3.Error):
            if self._database is not None:
                self._database.commit()

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None


def _key(path: Path) -> str:
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")

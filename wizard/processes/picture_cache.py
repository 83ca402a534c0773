"""What was measured of pictures, kept in the user's data folder: a second look at a folder takes seconds.

What was measured belongs to a content. A file whose path and stamp are the same has the content that it
had; of one that was renamed or copied the content is looked up.
"""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from advisor.data_folder import data_folder
from advisor.dataset.doctor.pixel_facts import FACTS_VERSION, PixelFacts, as_plain, from_text
from advisor.dataset.file_stamp import Stamp
from advisor.errors import RunError
from advisor.files import file_digest
from advisor.run_folder.keep import keep_beside

CACHE_NAME = "pictures.sqlite"
MOST_KEPT = 100_000
"""Contents, of some 11 KB each; those measured first are forgotten first."""
SCHEMA = {
    "contents": "TABLE contents (content TEXT PRIMARY KEY, version INTEGER, facts BLOB)",
    "numbered_files": (
        "TABLE numbered_files (path TEXT PRIMARY KEY, size INTEGER, changed INTEGER, number INTEGER, content TEXT)"
    ),
    "numbered_files_of_size": "INDEX numbered_files_of_size ON numbered_files (size)",
}
"""What the database holds, as SQL by its names."""
EARLIER = {
    "pictures": "TABLE pictures (path TEXT PRIMARY KEY, size INTEGER, changed INTEGER, version INTEGER, facts BLOB)",
    "files": "TABLE files (path TEXT PRIMARY KEY, size INTEGER, changed INTEGER, content TEXT)",
    "files_of_size": "INDEX files_of_size ON files (size)",
}
"""What it held before, which is forgotten."""
OF_FILE = (
    "SELECT facts FROM numbered_files JOIN contents USING (content) "
    "WHERE path = ? AND size = ? AND changed = ? AND number = ? AND version = ?"
)
OF_CONTENT = "SELECT facts FROM contents WHERE content = ? AND version = ?"
FORGET = (
    "DELETE FROM contents WHERE rowid <= (SELECT MAX(rowid) FROM contents) - ?",
    "DELETE FROM numbered_files WHERE content NOT IN (SELECT content FROM contents)",
)


class PictureCache:
    """The database. Where it cannot be read or written, nothing is known and nothing is kept."""

    def __init__(self, folder: Path | None = None) -> None:
        """Use the file in `folder`; None: in the user's data folder."""
        self._path = (folder or data_folder()) / CACHE_NAME
        self._database: sqlite3.Connection | None = None

    def __enter__(self) -> PictureCache:
        """Open it; a damaged one, or a file that is none of ours, is kept beside and it is begun anew."""
        for _ in range(2):
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._open()
                return self
            except (sqlite3.OperationalError, OSError):  # others work with it, or it cannot be written
                break
            except sqlite3.DatabaseError:
                self._close()
                with suppress(OSError, RunError):
                    keep_beside(self._path)
                    self._path.unlink()
        self._close()
        return self

    def _open(self) -> None:
        """Open the file, or make it.

        Raises:
            sqlite3.OperationalError: it cannot be used now.
            sqlite3.DatabaseError: it is damaged, or none of ours.
            OSError: it cannot be looked at.
        """
        if os.path.lexists(self._path) and not stat.S_ISREG(self._path.lstat().st_mode):
            raise sqlite3.DatabaseError("it is no file of its own")
        self._database = sqlite3.connect(self._path, timeout=5)
        for name, sql in self._database.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall():
            if _words(sql) != _words(f"CREATE {(SCHEMA | EARLIER).get(name)}"):
                raise sqlite3.DatabaseError(f"{name} in it is not ours")
        for name, sql in EARLIER.items():
            self._database.execute(f"DROP {sql.partition(' ')[0]} IF EXISTS {name}")
        for sql in SCHEMA.values():
            kind, _, rest = sql.partition(" ")
            self._database.execute(f"CREATE {kind} IF NOT EXISTS {rest}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keep what was put, forget what is too much, and close."""
        self.save()
        with suppress(sqlite3.Error):
            if self._database is not None and self._one("SELECT COUNT(*) FROM contents", ()) > (MOST_KEPT,):
                self._database.execute(FORGET[0], (MOST_KEPT,))
                self._database.execute(FORGET[1])
                self._database.commit()
        self._close()

    def get(self, path: Path, stamp: Stamp) -> PixelFacts | None:
        """What is known of an unchanged file."""
        return self._facts(OF_FILE, (_key(path), *stamp[:3], FACTS_VERSION))

    def find(self, path: Path, stamp: Stamp) -> PixelFacts | None:
        """What is known of a file's content under another name, or under its own at another time; the file is read
        where a file of its size was measured before.
        """
        if self._one("SELECT 1 FROM numbered_files WHERE size = ? LIMIT 1", (stamp.num_bytes,)) is None:
            return None
        try:
            content = file_digest(path)
        except (OSError, ValueError):
            return None
        facts = self._facts(OF_CONTENT, (content, FACTS_VERSION))
        if facts is not None:
            self._put_file(path, stamp, content)
        return facts

    def put(self, path: Path, stamp: Stamp, facts: PixelFacts, text: bytes | None = None) -> None:
        """Keep what was measured; it lasts from the next `save` on.

        Args:
            text: the facts as `from_text` has read them, where they came so.
        """
        if self._database is None or not facts.sha256:
            return
        text = json.dumps(as_plain(facts)).encode() if text is None else text.rstrip()
        with suppress(sqlite3.Error):
            self._database.execute(
                "INSERT OR REPLACE INTO contents VALUES (?, ?, ?)", (facts.sha256, FACTS_VERSION, text)
            )
        self._put_file(path, stamp, facts.sha256)

    def _put_file(self, path: Path, stamp: Stamp, content: str) -> None:
        if self._database is not None:
            row = (_key(path), *stamp[:3], content)
            with suppress(sqlite3.Error):
                self._database.execute("INSERT OR REPLACE INTO numbered_files VALUES (?, ?, ?, ?, ?)", row)

    def _facts(self, query: str, values: tuple[str | int, ...]) -> PixelFacts | None:
        row = self._one(query, values)
        return from_text(row[0]) if row and isinstance(row[0], bytes) else None

    def _one(self, query: str, values: tuple[str | int, ...]) -> Any:
        """The first row; None where there is none, or the database cannot be read."""
        if self._database is None:
            return None
        try:
            with closing(self._database.execute(query, values)) as rows:
                return rows.fetchone()
        except sqlite3.Error:
            return None

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


def _words(sql: str) -> str:
    """Without blanks, which other versions may set differently."""
    return "".join(sql.split())

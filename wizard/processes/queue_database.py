"""Opening the queue's database: made where there is none, refused where it is not as this Loracle writes it."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from advisor.errors import RunError
from advisor.files import mend_of_writing

APPLICATION_ID = 0x4C6F7261
"""By which a database of the queue is told from others: SQLite's PRAGMA application_id."""
VERSION = 3
"""Of the form; kept as PRAGMA user_version."""
SCHEMA = (
    """CREATE TABLE entries (
        number INTEGER PRIMARY KEY AUTOINCREMENT, place INTEGER NOT NULL, path BLOB NOT NULL, state TEXT NOT NULL,
        epochs INTEGER, skip_broken INTEGER NOT NULL, device TEXT, added_at REAL NOT NULL, began_at REAL, ended_at REAL,
        message TEXT NOT NULL DEFAULT '', steps INTEGER NOT NULL DEFAULT 0, lora BLOB,
        crashes INTEGER NOT NULL DEFAULT 0, crashed_at_step INTEGER NOT NULL DEFAULT 0,
        cache_from BLOB, card TEXT NOT NULL DEFAULT '')""",
    "CREATE TABLE wishes (worker TEXT PRIMARY KEY, wish TEXT NOT NULL)",
)
FROM_EARLIER = {
    1: "ALTER TABLE entries ADD COLUMN cache_from BLOB",
    2: "ALTER TABLE entries ADD COLUMN card TEXT NOT NULL DEFAULT ''",
}
"""What makes the next form of an earlier one."""
PATIENCE_SECONDS = 10.0
"""How long another command's transaction is waited for; they take milliseconds."""
OWNER_ONLY = 0o600

BUSY, NO_RIGHT, DAMAGED, NO_ROOM = (5, 6), (3, 8, 14, 23), (11, 26), (10, 13)
"""SQLite's result codes, by what the user can do: sqlite.org/rescode.html."""


class NewerDatabase(RunError):
    """A newer Loracle has written it."""


def opened(path: Path) -> sqlite3.Connection:
    """The database, open; whoever calls closes it, and begins transactions by hand.

    Raises:
        NewerDatabase: a newer Loracle has written it.
        sqlite3.Error: it is damaged, none of ours, or cannot be used now.
        OSError: it cannot be made.
    """
    if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
        raise sqlite3.DatabaseError("it is no file of its own")
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ONLY))
    database = sqlite3.connect(path, timeout=PATIENCE_SECONDS, isolation_level=None)
    try:
        _see_that_it_is_ours(database, path)
    except BaseException:
        database.close()
        raise
    return database


def _see_that_it_is_ours(database: sqlite3.Connection, path: Path) -> None:
    if _form(database) == (0, 0) and _is_empty(database):
        _keep_a_log(database)
        database.execute("BEGIN IMMEDIATE")
        with database:
            if _is_empty(database):  # nobody else has made it meanwhile
                _make(database)
    database.execute("PRAGMA synchronous = FULL")  # what is committed outlives a power cut
    application, version = _form(database)
    if application != APPLICATION_ID:
        raise sqlite3.DatabaseError("it is another program's")
    if version > VERSION:
        raise NewerDatabase(
            f"{path} was written by a newer Loracle (form {version}; this one knows {VERSION}): use that one, or move "
            "the file away to begin another queue; the runs themselves are not in it"
        )
    found = database.execute("PRAGMA quick_check(1)").fetchone()
    if found != ("ok",):
        raise sqlite3.DatabaseError(str(found[0]) if found else "it cannot be checked")
    if version < VERSION:
        _bring_up(database)


def _keep_a_log(database: sqlite3.Connection) -> None:
    """Switch to write-ahead logging. SQLite waits for nobody there: another process may make the database as well."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _bring_up(database: sqlite3.Connection) -> None:
    """Give a database of an earlier form this one, with all that is in it."""
    database.execute("BEGIN IMMEDIATE")
    with database:
        while (version := _form(database)[1]) < VERSION:  # read again: another process may have done it
            if version not in FROM_EARLIER:
                raise sqlite3.DatabaseError(f"it has form {version}, which never was")
            database.execute(FROM_EARLIER[version])
            database.execute(f"PRAGMA user_version = {version + 1}")


def _form(database: sqlite3.Connection) -> tuple[int, int]:
    """Application and version; those of a new database are 0."""
    application, version = (
        database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
    )
    return application, version


def _is_empty(database: sqlite3.Connection) -> bool:
    return bool(database.execute("SELECT COUNT(*) FROM sqlite_master").fetchone() == (0,))


def _make(database: sqlite3.Connection) -> None:
    for table in SCHEMA:
        database.execute(table)
    database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    database.execute(f"PRAGMA user_version = {VERSION}")


@contextmanager
def told_errors(path: Path) -> Iterator[None]:
    """Within, what goes wrong with the database is told with what to do about it; it is never deleted.

    Raises:
        RunError: it cannot be used.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise RunError(_sentence(path, error)) from error
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror or error}: {mend_of_writing(error)}") from error


def _sentence(path: Path, error: sqlite3.Error) -> str:
    code = (getattr(error, "sqlite_errorcode", None) or DAMAGED[0]) & 0xFF
    if code in BUSY:
        return f"{path}, which holds the queue, is in use by another program for long: try again in a moment"
    if code in NO_RIGHT:
        mend = "give yourself the right to read and write it and its folder, or choose another folder by LORACLE_DATA"
        return f"{path}, which holds the queue, cannot be opened ({error}): {mend}"
    if code in NO_ROOM:
        return f"{path}, which holds the queue, cannot be written ({error}): free some space on that disk"
    return (
        f"{path} is no queue of Loracle's, or damaged ({error}): move it away, with the files beside it whose names "
        "begin alike, and add the runs again; the runs themselves are not in it"
    )

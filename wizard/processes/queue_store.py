"""The queue: runs that wait to be trained, kept in a database in the user's data folder.

Each change is one transaction, so that a kill or a power cut at any moment leaves it as it was before or after.
How far a run is stands in its own states and events, and not here: docs/decisions/0053-the-queue.md.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal

from advisor.data_folder import data_folder
from advisor.errors import RunError
from wizard.processes.queue_database import opened, told_errors
from wizard.show.queue_view import EntryState, QueueEntry, QueueOptions

DATABASE_NAME = "queue.sqlite"
COLUMNS = (
    "number, path, state, epochs, skip_broken, device, added_at, began_at, ended_at, message, steps, lora, crashes, "
    "crashed_at_step, cache_from, card"
)
OPEN_STATES = ("waiting", "training")
MOST_ENDED = 200
"""Entries that have ended; the oldest beyond are forgotten."""
MOST_WAITING = 10_000

StopWish = Literal["now", "after_run"]


class QueueStore:
    """The queue's entries, and what its worker is asked for."""

    def __init__(self, folder: Path | None = None) -> None:
        """Use the database in `folder`; None: in the user's data folder."""
        self.path = (folder or data_folder()) / DATABASE_NAME

    def entries(self) -> list[QueueEntry]:
        """All entries: those that have ended, in the order of their ends, then the others in their order.

        Raises:
            RunError: the database cannot be read, is damaged, or a newer Loracle's.
        """
        if not os.path.lexists(self.path):
            return []
        with self._transaction() as database:
            rows = database.execute(f"SELECT {COLUMNS} FROM entries ORDER BY ended_at IS NULL, ended_at, place")
            return [self._entry(row) for row in rows]

    def open_entries(self) -> list[QueueEntry]:
        """Those that have not ended, in their order."""
        return [entry for entry in self.entries() if entry.state in OPEN_STATES]

    def add(self, path: Path, options: QueueOptions) -> None:
        """Add a run behind the others; an entry of it that has ended is forgotten.

        Raises:
            RunError: it waits already, there are too many, or the database cannot be written.
        """
        with self._transaction() as database:
            same = [entry for entry in self._all(database) if entry.is_of(path)]
            if any(entry.state in OPEN_STATES for entry in same):
                raise RunError(f"{path} is in the queue already: `loracle queue move` changes its place")
            waiting = database.execute("SELECT COUNT(*) FROM entries WHERE ended_at IS NULL").fetchone()[0]
            if waiting >= MOST_WAITING:
                raise RunError(f"{MOST_WAITING:,} runs wait in the queue: take some out, with `loracle queue remove`")
            database.executemany("DELETE FROM entries WHERE number = ?", [(entry.number,) for entry in same])
            database.execute(
                "INSERT INTO entries (place, path, state, epochs, skip_broken, device, added_at, cache_from) VALUES "
                "((SELECT COALESCE(MAX(place), 0) + 1 FROM entries), ?, 'waiting', ?, ?, ?, ?, ?)",
                (
                    os.fsencode(path),
                    options.epochs,
                    options.skip_broken,
                    options.device,
                    time.time(),
                    None if options.cache_from is None else os.fsencode(options.cache_from),
                ),
            )

    def remove(self, numbers: Sequence[int]) -> None:
        """Forget these entries; of the runs nothing is touched."""
        with self._transaction() as database:
            database.executemany("DELETE FROM entries WHERE number = ?", [(number,) for number in numbers])

    def arrange(self, numbers: Sequence[int]) -> None:
        """Give the open entries with these numbers this order; others come behind, in the order that they have."""
        with self._transaction() as database:
            now = [
                row[0] for row in database.execute("SELECT number FROM entries WHERE ended_at IS NULL ORDER BY place")
            ]
            wanted = [number for number in numbers if number in now] + [one for one in now if one not in numbers]
            rows = [(place, number) for place, number in enumerate(wanted, start=1)]
            database.executemany("UPDATE entries SET place = ? WHERE number = ?", rows)

    def take(self) -> QueueEntry | None:
        """The first entry that waits, or was trained by a worker that has died; it is being trained from now on."""
        with self._transaction() as database:
            row = database.execute(
                "SELECT number FROM entries WHERE ended_at IS NULL ORDER BY place LIMIT 1"
            ).fetchone()
            if row is None:
                return None
            return self._begun(database, row[0], "")

    def begin(self, number: int, card: str) -> QueueEntry | None:
        """An entry that is being trained from now on; None where it was taken out, or has ended.

        Args:
            card: where, for the user; empty: where it was planned.
        """
        with self._transaction() as database:
            found = next((entry for entry in self._all(database) if entry.number == number), None)
            if found is None or found.state not in OPEN_STATES:
                return None
            return self._begun(database, number, card)

    def _begun(self, database: sqlite3.Connection, number: int, card: str) -> QueueEntry:
        database.execute(
            "UPDATE entries SET state = 'training', began_at = COALESCE(began_at, ?), card = ? WHERE number = ?",
            (time.time(), card, number),
        )
        return next(entry for entry in self._all(database) if entry.number == number)

    def put_back(self, number: int, message: str = "") -> None:
        """Let an entry wait again, at its place.

        Args:
            message: why.
        """
        with self._transaction() as database:
            database.execute(
                "UPDATE entries SET state = 'waiting', message = ?, card = '' WHERE number = ?", (message, number)
            )

    def put_back_all(self) -> None:
        """Let those wait again that a worker which has died left at its death."""
        with self._transaction() as database:
            database.execute("UPDATE entries SET state = 'waiting', card = '' WHERE state = 'training'")

    def note_crash(self, number: int, crashes: int, step: int) -> None:
        """Keep how often a run's trainer has crashed without having come beyond this step."""
        with self._transaction() as database:
            database.execute(
                "UPDATE entries SET crashes = ?, crashed_at_step = ? WHERE number = ?", (crashes, step, number)
            )

    def end(
        self, number: int, state: EntryState, *, message: str = "", steps: int = 0, lora: Path | None = None
    ) -> None:
        """Note how an entry has ended; nothing where it was taken out meanwhile."""
        with self._transaction() as database:
            database.execute(
                "UPDATE entries SET state = ?, message = ?, steps = ?, lora = ?, ended_at = ? WHERE number = ?",
                (state, message, steps, None if lora is None else os.fsencode(lora), time.time(), number),
            )
            database.execute(
                "DELETE FROM entries WHERE number IN "
                "(SELECT number FROM entries WHERE ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT -1 OFFSET ?)",
                (MOST_ENDED,),
            )

    def ask_to_stop(self, worker: str, wish: StopWish) -> None:
        """Ask a worker to end, now or after the run at hand; what was asked of earlier ones is forgotten."""
        with self._transaction() as database:
            database.execute("DELETE FROM wishes")
            database.execute("INSERT INTO wishes (worker, wish) VALUES (?, ?)", (worker, wish))

    @contextmanager
    def wishes_of(self, worker: str) -> Iterator[_Wishes]:
        """What this worker is asked for, by a connection that stays open for looking often."""
        with told_errors(self.path), closing(opened(self.path)) as database:
            yield _Wishes(database, worker)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Within, nobody else changes the database; what is done is kept as a whole, or not at all."""
        with told_errors(self.path), closing(opened(self.path)) as database:
            database.execute("BEGIN IMMEDIATE")
            with database:
                yield database

    def _all(self, database: sqlite3.Connection) -> list[QueueEntry]:
        return [self._entry(row) for row in database.execute(f"SELECT {COLUMNS} FROM entries")]

    def _entry(self, row: tuple[object, ...]) -> QueueEntry:
        """A row; one that is not as Loracle writes them is damage."""
        try:
            return QueueEntry.of_row(row)
        except (TypeError, ValueError) as error:
            raise sqlite3.DatabaseError(f"a row in it is none of ours ({error})") from None


class _Wishes:
    """Looks what a worker is asked for."""

    def __init__(self, database: sqlite3.Connection, worker: str) -> None:
        self._database, self._worker = database, worker

    def stop(self) -> StopWish | None:
        """Whether it is to end; None: it is not, or that cannot be seen now."""
        try:
            row = self._database.execute("SELECT wish FROM wishes WHERE worker = ?", (self._worker,)).fetchone()
        except sqlite3.Error:
            return None
        found = None if row is None else row[0]
        return found if found in ("now", "after_run") else None

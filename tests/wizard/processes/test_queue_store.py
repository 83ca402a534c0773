"""The queue's database: what is kept, in which order, and what is refused and never deleted."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from advisor.errors import RunError
from tests.support.paths import REPOSITORY
from wizard.processes import queue_database, queue_store
from wizard.processes.queue_store import QueueStore
from wizard.show.queue_view import QueueOptions

USUAL = QueueOptions()


@pytest.fixture
def store(tmp_path: Path) -> QueueStore:
    """With three runs, which are not there, with names that names can have."""
    made = QueueStore(tmp_path / "data")
    for name in ("a b", "Füchse", "🦊"):
        made.add(tmp_path / name, USUAL)
    return made


def paths(store: QueueStore) -> list[str]:
    return [entry.path.name for entry in store.open_entries()]


def test_runs_wait_in_the_order_in_which_they_were_added_with_their_options(tmp_path: Path, store: QueueStore) -> None:
    store.add(tmp_path / "d", QueueOptions(epochs=7, skip_broken=True, device="cpu"))
    again = QueueStore(tmp_path / "data")

    assert paths(again) == ["a b", "Füchse", "🦊", "d"]
    assert again.entries()[-1].options == QueueOptions(7, True, "cpu")
    assert again.entries()[0].options == USUAL


@pytest.mark.skipif(sys.platform != "linux", reason="other systems take no such names")
def test_a_name_that_is_no_text_is_kept_as_it_is(tmp_path: Path, store: QueueStore) -> None:
    path = tmp_path / os.fsdecode(b"\xff\xfe")
    store.add(path, USUAL)

    assert store.open_entries()[-1].path == path


def test_nothing_is_made_by_looking(tmp_path: Path) -> None:
    assert QueueStore(tmp_path / "data").entries() == []
    assert not (tmp_path / "data").exists()


def test_a_run_is_there_once_also_through_a_link(tmp_path: Path, store: QueueStore) -> None:
    (tmp_path / "a b").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a b")
    for path in (tmp_path / "a b", tmp_path / "link", tmp_path / "🦊", tmp_path / "x" / ".." / "🦊"):
        with pytest.raises(RunError, match="is in the queue already"):
            store.add(path, USUAL)

    assert len(store.entries()) == 3


def test_one_that_has_ended_may_be_added_again_and_is_then_there_once(tmp_path: Path, store: QueueStore) -> None:
    first = store.take()
    assert first is not None
    store.end(first.number, "failed", message="no pictures")
    store.add(first.path, USUAL)

    assert [(entry.path.name, entry.state) for entry in store.entries()] == [
        ("Füchse", "waiting"), ("🦊", "waiting"), ("a b", "waiting"),
    ]  # fmt: skip
    assert store.entries()[-1].number > 3


def test_one_that_was_taken_by_a_worker_which_died_is_taken_first_again_and_keeps_when_it_began(
    store: QueueStore,
) -> None:
    one, again = store.take(), store.take()

    assert one is not None
    assert one == again
    assert (one.path.name, one.state) == ("a b", "training")
    assert one.began_at is not None


def test_what_has_ended_is_taken_no_more(tmp_path: Path, store: QueueStore) -> None:
    taken = list[str]()
    while (entry := store.take()) is not None:
        taken.append(entry.path.name)
        store.end(entry.number, "trained", steps=8, lora=entry.path / "model" / "tok.safetensors")

    assert taken == ["a b", "Füchse", "🦊"]
    assert store.entries()[0].lora == tmp_path / "a b" / "model" / "tok.safetensors"
    assert {entry.state for entry in store.entries()} == {"trained"}


def test_one_that_was_put_back_keeps_its_place(store: QueueStore) -> None:
    first = store.take()
    assert first is not None
    store.put_back(first.number, "interrupted")

    assert paths(store) == ["a b", "Füchse", "🦊"]
    assert store.open_entries()[0].message == "interrupted"


def test_the_order_is_changed_as_a_whole_and_what_it_leaves_out_comes_behind(store: QueueStore) -> None:
    store.arrange([3, 99, 1])

    assert paths(store) == ["🦊", "a b", "Füchse"]


def test_only_the_last_ended_ones_are_kept(tmp_path: Path, store: QueueStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_store, "MOST_ENDED", 2)
    for number in (1, 2, 3):
        store.end(number, "trained")

    assert [entry.path.name for entry in store.entries()] == ["Füchse", "🦊"]


def test_a_worker_hears_its_own_wishes_alone(store: QueueStore) -> None:
    with store.wishes_of("me") as mine, store.wishes_of("another") as others:
        assert mine.stop() is None
        store.ask_to_stop("me", "after_run")
        assert (mine.stop(), others.stop()) == ("after_run", None)
        store.ask_to_stop("me", "now")
        assert (mine.stop(), others.stop()) == ("now", None)


@pytest.mark.skipif(sys.platform == "win32", reason="rights are POSIX's")
def test_nobody_else_may_read_it(store: QueueStore) -> None:
    with store.wishes_of("me"):  # while others' files are there
        files = list(store.path.parent.glob("queue.sqlite*"))
        modes = {stat.S_IMODE(path.stat().st_mode) for path in files}

    assert modes == {0o600}


def test_many_may_add_at_the_same_moment_and_none_is_lost(tmp_path: Path) -> None:
    def add(thread: int) -> None:
        for number in range(5):
            QueueStore(tmp_path).add(tmp_path / f"{thread}-{number}", USUAL)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(paths(QueueStore(tmp_path)))) == 20


KILLED = """
import os, sys
from pathlib import Path
from wizard.processes.queue_store import QueueStore
store = QueueStore(Path(sys.argv[1]))
with store._transaction() as database:
    database.execute("DELETE FROM entries")
    os.kill(os.getpid(), 9)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_a_command_that_is_killed_amid_a_change_changes_nothing(store: QueueStore) -> None:
    given = [sys.executable, "-P", "-c", KILLED, str(store.path.parent)]
    killed = subprocess.run(given, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, check=False)

    assert killed.returncode == -9
    assert paths(store) == ["a b", "Füchse", "🦊"]


def refused(store: QueueStore) -> str:
    """How it is refused, which leaves the file as it is."""
    before = store.path.read_bytes() if store.path.is_file() else b""
    with pytest.raises(RunError) as told:
        store.entries()
    with pytest.raises(RunError):
        store.add(store.path.parent / "another", USUAL)
    assert (store.path.read_bytes() if store.path.is_file() else b"") == before
    return str(told.value)


def test_a_newer_one_is_refused_with_what_to_do(store: QueueStore) -> None:
    with closing(sqlite3.connect(store.path)) as database:
        database.execute("PRAGMA user_version = 4")

    told = refused(store)
    assert "was written by a newer Loracle (form 4; this one knows 3)" in told
    assert "move the file away" in told


FORM_1 = """
CREATE TABLE entries (
    number INTEGER PRIMARY KEY AUTOINCREMENT, place INTEGER NOT NULL, path BLOB NOT NULL, state TEXT NOT NULL,
    epochs INTEGER, skip_broken INTEGER NOT NULL, device TEXT, added_at REAL NOT NULL, began_at REAL, ended_at REAL,
    message TEXT NOT NULL DEFAULT '', steps INTEGER NOT NULL DEFAULT 0, lora BLOB,
    crashes INTEGER NOT NULL DEFAULT 0, crashed_at_step INTEGER NOT NULL DEFAULT 0);
CREATE TABLE wishes (worker TEXT PRIMARY KEY, wish TEXT NOT NULL);
INSERT INTO entries (place, path, state, skip_broken, added_at) VALUES (1, CAST('/old' AS BLOB), 'waiting', 0, 5.0);
PRAGMA application_id = 1282372193;
PRAGMA user_version = 1;
"""


def test_one_of_the_form_before_is_read_and_written(tmp_path: Path) -> None:
    store = QueueStore(tmp_path)
    with closing(sqlite3.connect(store.path)) as database:
        database.executescript(FORM_1)
    store.add(tmp_path / "new", QueueOptions(cache_from=tmp_path / "old"))

    assert [entry.path for entry in store.entries()] == [Path("/old"), tmp_path / "new"]
    assert [entry.options.cache_from for entry in store.entries()] == [None, tmp_path / "old"]
    begun = store.begin(1, "a card")
    assert begun is not None
    assert (begun.card, store.entries()[1].card) == ("a card", "")


@pytest.mark.parametrize("content", [b"no database at all" * 99, b"SQLite format 3\0" + bytes(range(256)) * 40])
def test_a_damaged_one_is_refused_and_left_as_it_is(store: QueueStore, content: bytes) -> None:
    store.path.write_bytes(content)

    assert "or damaged" in refused(store)


def test_one_whose_pages_were_torn_is_refused(store: QueueStore) -> None:
    content = bytearray(store.path.read_bytes())
    content[len(content) - 4096 :] = b"\xff" * 4096
    content[4096:8192] = b"\xee" * 4096
    store.path.write_bytes(content)

    assert "or damaged" in refused(store)


@pytest.mark.parametrize(
    "change",
    ["path = 'text'", "state = 'asleep'", "epochs = 'many'", "steps = 1.5", "began_at = 1e99", "lora = 'x'"],
)
def test_a_row_that_loracle_does_not_write_is_damage(store: QueueStore, change: str) -> None:
    with closing(sqlite3.connect(store.path)) as database, database:
        database.execute(f"UPDATE entries SET {change} WHERE number = 2")

    with pytest.raises(RunError, match="none of ours"):
        store.entries()


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    store = QueueStore(tmp_path)
    with closing(sqlite3.connect(store.path)) as database, database:
        database.execute("CREATE TABLE entries (number INTEGER)")

    assert "another program's" in refused(store)


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_what_is_no_file_of_its_own_is_refused(tmp_path: Path, kind: str) -> None:
    store = QueueStore(tmp_path)
    if kind == "folder":
        store.path.mkdir()
    else:
        store.path.symlink_to(tmp_path / "elsewhere")

    assert "no file of its own" in refused(store)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may do all")
def test_one_without_the_right_to_read_it_says_what_to_do(store: QueueStore) -> None:
    store.path.chmod(0)

    assert "give yourself the right" in refused(store)


def test_one_that_another_program_holds_for_long_says_so(store: QueueStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_database, "PATIENCE_SECONDS", 0.05)
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")

        assert "in use by another program" in refused(store)

    assert len(store.entries()) == 3

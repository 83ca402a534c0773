from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from advisor.dataset.doctor.pixel_facts import PixelFacts
from advisor.dataset.file_stamp import Stamp, stamp_of
from tests.support.special_files import on_posix, special_file
from wizard.processes.picture_cache import CACHE_NAME, PictureCache

KEPT = f"{CACHE_NAME}.bak"
FACTS, STAMP = PixelFacts("broken", why="cut off", sha256="a" * 64), Stamp(5, 7)


def works(folder: Path) -> bool:
    """Whether what one cache was given the next one has."""
    with PictureCache(folder) as cache:
        cache.put(Path("/a.png"), STAMP, FACTS)
    with PictureCache(folder) as cache:
        return cache.get(Path("/a.png"), STAMP) == FACTS


def database(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as made:
        for statement in statements:
            made.execute(statement)
        made.commit()


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_bytes(b"my own notes about pictures"),
        lambda path: database(path, "CREATE TABLE pictures (path TEXT)", "INSERT INTO pictures VALUES (1)"),
        lambda path: database(path, "CREATE TABLE holidays (place TEXT)", "INSERT INTO holidays VALUES ('Rome')"),
        lambda path: database(
            path, "CREATE VIEW pictures AS WITH RECURSIVE n(path) AS (SELECT 1 UNION ALL SELECT path + 1 FROM n) "
            "SELECT path, path AS size, path AS changed, 1 AS version, x'00' AS facts FROM n"
        ),
    ],
)  # fmt: skip
def test_a_file_that_is_none_of_ours_stays_beside_it(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / CACHE_NAME)
    before = (tmp_path / CACHE_NAME).read_bytes()

    assert works(tmp_path)
    assert (tmp_path / KEPT).read_bytes() == before
    assert not (tmp_path / f"{CACHE_NAME}.bak2").exists()


def test_a_trigger_in_it_is_never_run(tmp_path: Path) -> None:
    assert works(tmp_path)
    bomb = "CREATE TRIGGER bomb BEFORE INSERT ON numbered_files BEGIN DELETE FROM numbered_files; END"
    database(tmp_path / CACHE_NAME, bomb)

    assert works(tmp_path)
    assert (tmp_path / KEPT).exists()


def test_a_database_that_another_process_has_locked_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert works(tmp_path)
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, timeout: connect(path, timeout=0))
    with closing(connect(tmp_path / CACHE_NAME)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with PictureCache(tmp_path) as cache:
            assert cache.get(Path("/a.png"), STAMP) is None
        other.rollback()

    assert [path.name for path in tmp_path.iterdir()] == [CACHE_NAME]
    assert works(tmp_path)


@on_posix
@pytest.mark.parametrize("kind", ["a pipe", "a link"])
def test_what_is_no_plain_file_is_not_opened(tmp_path: Path, kind: str) -> None:
    own = tmp_path / "mine.sqlite"
    database(own, "CREATE TABLE pictures (path TEXT)")
    before = own.read_bytes()
    if kind == "a link":
        (tmp_path / CACHE_NAME).symlink_to(own)
        assert works(tmp_path)
    else:
        with special_file(tmp_path / CACHE_NAME, "pipe"):
            assert works(tmp_path)
    assert own.read_bytes() == before


def test_one_of_a_version_before_is_used(tmp_path: Path) -> None:
    columns = "path TEXT PRIMARY KEY, size INTEGER, changed INTEGER, version INTEGER, facts BLOB"
    database(tmp_path / CACHE_NAME, f"\nCREATE TABLE IF NOT EXISTS pictures (\n    {columns}\n)\n")

    assert works(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [CACHE_NAME]


def test_a_picture_from_a_far_future_is_kept_too(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"x")
    os.utime(picture, (13_569_465_600, 13_569_465_600))  # the year 2400
    stamp = stamp_of(picture)
    assert stamp is not None

    with PictureCache(tmp_path / "data") as cache:
        cache.put(picture, stamp, FACTS)
        assert cache.get(picture, stamp) == FACTS

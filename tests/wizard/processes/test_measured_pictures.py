"""Pictures measured by worker processes, and what is kept of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from advisor.dataset.scan import scan
from tests.support.pictures import make_pictures
from wizard.processes import measured_pictures, picture_workers
from wizard.processes.measured_pictures import thumbnails
from wizard.processes.picture_cache import CACHE_NAME, PictureCache, Stamp
from wizard.processes.picture_workers import PictureWorkers


def quiet(done: int, total: int) -> None:
    pass


def counted_told() -> tuple[list[tuple[int, int]], Callable[[int, int], None]]:
    told = list[tuple[int, int]]()
    return told, lambda done, total: told.append((done, total))


def test_a_second_look_decodes_what_changed_alone(tmp_path: Path) -> None:
    paths = make_pictures(tmp_path / "pictures", 5)
    first_told, first_tell = counted_told()
    second_told, second_tell = counted_told()

    first = measured_pictures.measured_pictures(scan(tmp_path / "pictures"), first_tell)
    os.utime(paths[3], ns=(1, 1))
    second = measured_pictures.measured_pictures(scan(tmp_path / "pictures"), second_tell)

    assert first == second
    assert list(first) == [path.name for path in paths]
    assert first_told[-1] == (5, 5)
    assert second_told == [(1, 1)]


def test_a_decoder_that_crashes_or_hangs_costs_one_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_workers, "WORKER", "tests.support.odd_worker")
    monkeypatch.setattr(picture_workers, "START_SECONDS", 20.0)
    names = ["a", "crash", "b", "hang", "c"]

    with PictureWorkers(1, patience_seconds=1.0) as workers:
        answers = list(workers.answers([{"path": name} for name in names]))

    assert [answer is not None for answer in answers] == [True, False, True, False, True]


def test_answers_come_in_the_order_of_requests_with_more_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_workers, "WORKER", "tests.support.odd_worker")
    monkeypatch.setattr(picture_workers, "MOST_WAITING", 3)

    with PictureWorkers(2) as workers:
        answers = list(workers.answers([{"path": f"<{index}>"} for index in range(20)]))

    assert all(f"<{index}>".encode() in (answer or b"") for index, answer in enumerate(answers))


def test_workers_end_with_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_workers, "WORKER", "tests.support.odd_worker")

    def interrupted() -> None:
        with PictureWorkers(1) as workers:
            for _ in workers.answers([{"path": "a"}, {"path": "hang"}]):
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()


def test_a_damaged_cache_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / CACHE_NAME).write_bytes(b"no database" * 100)
    (picture,) = make_pictures(tmp_path / "pictures", 1)
    stamp = Stamp.of(picture)
    assert stamp is not None

    with PictureCache(tmp_path) as cache:
        assert cache.get(picture, stamp) is None
    assert (tmp_path / CACHE_NAME).read_bytes().startswith(b"SQLite format 3")


def test_a_cache_that_cannot_be_written_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")

    with PictureCache(tmp_path / "file") as cache:
        assert cache.get(tmp_path, Stamp(1, 1)) is None


def test_thumbnails_are_small_jpegs(tmp_path: Path) -> None:
    make_pictures(tmp_path, 1, sizes=((900, 600),))
    (tmp_path / "broken.png").write_bytes(b"no")

    found = thumbnails(str(tmp_path), ["picture-001.png", "broken.png"], quiet)

    assert list(found) == ["picture-001.png"]
    assert found["picture-001.png"].startswith("/9j/")

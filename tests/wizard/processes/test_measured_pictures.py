"""Pictures measured by worker processes, and what is kept of them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from advisor.dataset.doctor.pixel_facts import PixelFacts
from advisor.dataset.file_stamp import Stamp, stamp_of
from advisor.dataset.scan import scan
from tests.support.pictures import draw_picture, make_pictures
from wizard.processes import measured_pictures, picture_cache, picture_workers
from wizard.processes.measured_pictures import thumbnails
from wizard.processes.picture_cache import CACHE_NAME, PictureCache
from wizard.processes.picture_workers import PictureWorkers


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of its own: pictures that other tests drew alike are known in the session's."""
    monkeypatch.setenv("LORACLE_DATA", str(tmp_path / "data"))


def quiet(done: int, total: int) -> None:
    pass


def counted_told() -> tuple[list[tuple[int, int]], Callable[[int, int], None]]:
    told = list[tuple[int, int]]()
    return told, lambda done, total: told.append((done, total))


def test_a_second_look_decodes_what_changed_alone(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    paths = [draw_picture(tmp_path / "pictures" / f"{seed}.png", seed=seed) for seed in range(5)]
    first_told, first_tell = counted_told()
    second_told, second_tell = counted_told()

    first = measured_pictures.measured_pictures(scan(tmp_path / "pictures"), first_tell)
    draw_picture(paths[3], seed=77)
    second = measured_pictures.measured_pictures(scan(tmp_path / "pictures"), second_tell)

    assert first.pop(paths[3].name) != second.pop(paths[3].name)
    assert first == second
    assert first_told[-1] == (5, 5)
    assert second_told == [(1, 1)]


def test_a_renamed_moved_or_copied_picture_is_not_decoded_again(tmp_path: Path) -> None:
    paths = make_pictures(tmp_path / "pictures", 4)
    told, tell = counted_told()
    first = measured_pictures.measured_pictures(scan(tmp_path / "pictures"), quiet)

    (tmp_path / "pictures" / "below").mkdir()
    paths[0].rename(tmp_path / "pictures" / "another name.png")
    paths[1].rename(tmp_path / "pictures" / "below" / "picture-002.png")
    shutil.copyfile(paths[2], tmp_path / "pictures" / "copy.png")
    os.utime(paths[3], ns=(1, 1))
    second = measured_pictures.measured_pictures(scan(tmp_path / "pictures"), tell)

    assert told == []
    assert second["another name.png"] == first["picture-001.png"]
    assert second["below/picture-002.png"] == first["picture-002.png"]
    assert second["copy.png"] == second["picture-003.png"] == first["picture-003.png"]
    assert second["picture-004.png"] == first["picture-004.png"]


def test_an_interrupted_look_goes_on_where_it_was(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    for index in range(12):
        draw_picture(tmp_path / "pictures" / f"{index}.png", (300 + index, 300))
    told, tell = counted_told()

    def interrupt(done: int, total: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measured_pictures.measured_pictures(scan(tmp_path / "pictures"), interrupt)
    found = measured_pictures.measured_pictures(scan(tmp_path / "pictures"), tell)

    assert len(found) == 12
    assert told[-1] == (5, 5)


def test_what_was_measured_first_is_forgotten_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_cache, "MOST_KEPT", 2)
    stamp, facts = Stamp(1, 1), PixelFacts("broken", why="so")
    for index in range(5):
        with PictureCache(tmp_path) as cache:
            cache.put(tmp_path / f"{index}", stamp, replace(facts, sha256=f"{index}"))

    with PictureCache(tmp_path) as cache:
        known = [index for index in range(5) if cache.get(tmp_path / f"{index}", stamp)]

    assert known == [3, 4]


def test_a_decoder_that_crashes_or_hangs_costs_one_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_workers, "WORKER", "tests.support.odd_worker")
    monkeypatch.setattr(picture_workers, "START_SECONDS", 20.0)
    names = ["a", "crash", "b", "hang", "c"]

    with PictureWorkers(1, patience_seconds=1.0) as workers:
        answers = list(workers.answers([{"path": name} for name in names]))

    assert [answer is not None for answer in answers] == [True, False, True, False, True]


def test_of_a_batch_that_fails_each_picture_is_asked_for_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_workers, "WORKER", "tests.support.odd_worker")
    monkeypatch.setattr(picture_workers, "START_SECONDS", 20.0)
    names = [f"{'crash' if index == 9 else 'hang' if index == 30 else 'whole'} {index}" for index in range(40)]

    with PictureWorkers(1, patience_seconds=1.0) as workers:
        answers = list(workers.answers([{"path": name} for name in names]))

    assert [index for index, answer in enumerate(answers) if answer is None] == [9, 30]
    assert all(name.encode() in answer for name, answer in zip(names, answers, strict=True) if answer is not None)


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
    stamp = stamp_of(picture)
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

    found = thumbnails(str(tmp_path), ["picture-001.png", "broken.png"], 192, quiet)

    assert list(found) == ["picture-001.png"]
    assert found["picture-001.png"].startswith("/9j/")

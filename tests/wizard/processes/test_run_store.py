from __future__ import annotations

import os
from pathlib import Path

import pytest

from wizard.processes.run_store import MOST_RUNS, RunStore


def test_what_is_remembered_comes_back_the_last_first(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    for name in ("a", "b ü 🦊", "a"):
        store.remember(tmp_path / name)
        for age, file in enumerate(reversed(store._files())):
            os.utime(file, (age, age))

    assert store.paths() == (tmp_path / "a", tmp_path / "b ü 🦊")


def test_a_relative_path_is_kept_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    RunStore(tmp_path).remember(Path("mira"))

    assert RunStore(tmp_path).paths() == (tmp_path / "mira",)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b'{"path": 3}',
        b"\xff",
        b"[" * 9999,
        b"x" * 100_000,
        rb'{"path": "/a\u0000b"}',
        rb'{"path": "/\ud800"}',
    ],
)
def test_a_damaged_file_is_passed_over(tmp_path: Path, content: bytes) -> None:
    store = RunStore(tmp_path)
    store.remember(tmp_path / "mira")
    (tmp_path / "runs" / f"{0:016x}.json").write_bytes(content)

    assert store.paths() == (tmp_path / "mira",)


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    RunStore(tmp_path).remember(tmp_path / "mira")

    assert RunStore(tmp_path).paths() == ()


def test_no_more_than_so_many_are_kept(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    for number in range(MOST_RUNS + 3):
        store.remember(tmp_path / str(number))

    assert len(store.paths()) == MOST_RUNS


def test_files_of_others_are_neither_read_nor_deleted(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    for number in range(MOST_RUNS):
        (tmp_path / "runs" / f"result-{number}.json").write_text('{"path": "/elsewhere"}')
    (tmp_path / "runs" / "gone.json").symlink_to(tmp_path / "nowhere")
    RunStore(tmp_path).remember(tmp_path / "mira")

    assert len(list((tmp_path / "runs").iterdir())) == MOST_RUNS + 2
    assert RunStore(tmp_path).paths() == (tmp_path / "mira",)

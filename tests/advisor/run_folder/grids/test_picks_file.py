from __future__ import annotations

from pathlib import Path

import pytest

from advisor.choosing.cells import Cell
from advisor.choosing.picks import BlindPick, Candidate, Picked
from advisor.errors import RunError
from advisor.run_folder.grids.picks_file import MOST_PICKS_BYTES, PickLine, append_pick, read_picks
from tests.support.special_files import KINDS, special_file

ONE, TWO = (Cell(epoch, 1.0, 0, 7, f"pictures/{epoch:064x}.png") for epoch in (1, 2))


def line(picked: Picked) -> PickLine:
    return PickLine.now(ONE, TWO, picked)


def test_what_is_appended_is_read_again(tmp_path: Path) -> None:
    every: tuple[Picked, ...] = ("left", "equal", "right")
    for picked in every:
        append_pick(tmp_path / "picks.jsonl", line(picked))

    log = read_picks(tmp_path / "picks.jsonl")

    assert [one.picked for one in log.lines] == ["left", "equal", "right"]
    assert all(one.unix_seconds > 0 for one in log.lines)
    assert log.among([ONE, TWO])[0] == BlindPick(Candidate(1, 1.0), Candidate(2, 1.0), "left", (0, 7))


def test_a_pick_that_is_taken_back_does_not_count_and_stays_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "picks.jsonl"
    undo = PickLine(picked="undo")
    for one in (undo, line("left"), line("right"), undo, line("equal")):
        append_pick(path, one)

    assert [one.picked for one in read_picks(path).lines] == ["left", "equal"]
    assert path.read_text().count('"picked"') == 5


def test_damaged_lines_are_counted_and_swallow_no_pick(tmp_path: Path) -> None:
    path = tmp_path / "picks.jsonl"
    path.write_bytes(
        b'{"picked": "both"}\n[]\n\xff\n{"picked": "left", "left": {"path": "../../etc/passwd"}}\n{"picked": "ri'
    )
    append_pick(path, line("left"))

    log = read_picks(path)

    assert (len(log.lines), log.damaged_lines) == (1, 5)


def test_picks_of_pictures_that_the_grid_no_longer_has_do_not_count(tmp_path: Path) -> None:
    append_pick(tmp_path / "picks.jsonl", line("left"))

    assert read_picks(tmp_path / "picks.jsonl").among([ONE]) == []


def test_no_file_has_no_picks(tmp_path: Path) -> None:
    assert read_picks(tmp_path / "picks.jsonl").lines == ()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_is_neither_read_nor_written(tmp_path: Path, kind: str) -> None:
    with special_file(tmp_path / "picks.jsonl", kind) as path:
        with pytest.raises(RunError, match="cannot be read"):
            read_picks(path)
        with pytest.raises(RunError, match="cannot be written"):
            append_pick(path, line("left"))


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "picks.jsonl").open("wb") as file:
        file.truncate(MOST_PICKS_BYTES + 1)

    with pytest.raises(RunError, match="delete it to begin anew"):
        read_picks(tmp_path / "picks.jsonl")


def test_a_pick_is_taken_back_by_the_sitting_that_made_it_whatever_another_picked_since(tmp_path: Path) -> None:
    path, ours, theirs = tmp_path / "picks.jsonl", line("left"), PickLine.now(TWO, ONE, "right")
    for one in (ours, theirs, ours.undone(), ours.undone()):
        append_pick(path, one)

    assert read_picks(path).lines == (theirs,)

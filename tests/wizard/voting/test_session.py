from __future__ import annotations

from pathlib import Path

import pytest

from advisor.choosing.picks import BlindPick, Candidate
from advisor.errors import RunError
from advisor.run_folder.grids.grid_record import GridRecord
from advisor.run_folder.grids.picks_file import PickLine, votable
from tests.support.report_runs import write_grid
from wizard.voting.session import MOST_OPEN, VotingSession


@pytest.fixture
def grid(tmp_path: Path) -> GridRecord:
    return write_grid(tmp_path, epochs=3, prompts=("mira, smile", "1girl"), seeds=(1, 2))


def test_only_what_asks_for_the_character_is_shown_and_never_the_base_model(grid: GridRecord) -> None:
    assert {(cell.epoch > 0, cell.prompt) for cell in votable(grid)} == {(True, 0)}
    assert {cell.prompt for cell in votable(grid.model_copy(update={"trigger": ""}))} == {0, 1}
    assert {cell.prompt for cell in votable(grid.model_copy(update={"trigger": "zuvi"}))} == {0, 1}


def test_a_pick_is_kept_before_it_counts(grid: GridRecord) -> None:
    def full(_: PickLine) -> None:
        raise RunError("the disk is full")

    session = VotingSession(grid, (), full, seed=0)
    question = session.question()
    assert question is not None

    with pytest.raises(RunError):
        session.answer(question.id, "left")

    assert session.picks == ()


def test_what_was_taken_is_kept_with_its_pictures(grid: GridRecord) -> None:
    kept = list[PickLine]()
    session = VotingSession(grid, (), kept.append, seed=0)
    question = session.question()
    assert question is not None

    assert session.answer(question.id, "left")

    (line,) = kept
    assert line.left is not None
    assert line.left.path == f"pictures/{question.left}"
    assert (line.picked, session.picks[0].picked) == ("left", "left")


def test_two_tabs_have_questions_of_their_own_and_each_is_answered_once(grid: GridRecord) -> None:
    kept = list[PickLine]()
    session = VotingSession(grid, (), kept.append, seed=0)
    one, other = session.question(), session.question()
    assert one is not None
    assert other is not None

    assert {one.left, one.right} != {other.left, other.right}
    assert [session.answer(one.id, "left"), session.answer(one.id, "right"), session.answer(other.id, "equal")] == [
        True, False, True,
    ]  # fmt: skip
    assert [line.picked for line in kept] == ["left", "equal"]
    assert not session.answer(99, "left")


def test_the_last_pick_is_taken_back_and_asked_again(grid: GridRecord) -> None:
    kept = list[PickLine]()
    session = VotingSession(grid, (), kept.append, seed=0)
    question = session.question()
    assert question is not None
    session.answer(question.id, "left")

    again = session.undo()

    assert again is not None
    assert (again.left, again.right, again.done) == (question.left, question.right, 0)
    assert [line.picked for line in kept] == ["left", "undo"]
    assert session.undo() is None


def test_picks_of_earlier_sittings_count_and_are_not_taken_back(grid: GridRecord) -> None:
    before = [BlindPick(Candidate(1, 1.0), Candidate(2, 1.0), "left", (0, 1))]
    session = VotingSession(grid, before, lambda _: None, seed=0)
    question = session.question()

    assert question is not None
    assert question.done == 1
    assert session.undo() is None
    assert len(session.picks) == 1


def test_questions_that_nobody_answers_are_forgotten(grid: GridRecord) -> None:
    session = VotingSession(grid, (), lambda _: None, seed=0)
    asked = [session.question() for _ in range(MOST_OPEN + 1)]

    assert asked[0] is not None
    assert asked[-1] is not None
    assert not session.answer(asked[0].id, "left")
    assert session.answer(asked[-1].id, "left")


def test_a_grid_of_one_lora_asks_nothing(tmp_path: Path) -> None:
    grid = write_grid(tmp_path, epochs=1)

    assert VotingSession(grid, (), lambda _: None, seed=0).question() is None

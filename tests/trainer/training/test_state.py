from __future__ import annotations

from pathlib import Path

import pytest
import torch

from advisor.errors import RunError
from trainer.training.state import Position, State, States


def make_state(step: int) -> State:
    weights = {"a": torch.full((2, 2), float(step))}
    optimizer = {"state": {0: {"exp_avg": torch.ones(2), "step": torch.tensor(1.0)}}, "param_groups": [{"lr": 0.1}]}
    return State(Position(step, 1, 2), weights, optimizer, None, "hash", 1.5)


def test_the_newest_state_is_read_back_whole(tmp_path: Path) -> None:
    for step in (1, 2):
        States(tmp_path).write(make_state(step))

    state = States(tmp_path).newest()

    assert state is not None
    assert state.position == Position(2, 1, 2)
    assert state.weights["a"].tolist() == [[2, 2], [2, 2]]
    assert state.optimizer is not None
    assert state.optimizer["state"][0]["exp_avg"].tolist() == [1, 1]
    assert (state.config_hash, state.seconds) == ("hash", 1.5)


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        States(tmp_path).write(make_state(step))

    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == ["step-00000002", "step-00000003"]


@pytest.mark.parametrize("name", ["weights.safetensors", "optimizer.pt", "manifest.json"])
@pytest.mark.parametrize("how", ["cut", "flipped", "gone"])
def test_a_damaged_newest_state_falls_back_to_the_one_before(tmp_path: Path, name: str, how: str) -> None:
    for step in (1, 2):
        States(tmp_path).write(make_state(step))
    path = tmp_path / "state" / "step-00000002" / name
    content = path.read_bytes()
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(content[:-9] if how == "cut" else content[:50] + bytes([content[50] ^ 64]) + content[51:])
    states = States(tmp_path)

    state = states.newest()

    assert state is not None
    assert state.position.step == 1
    assert states.damaged == ["step-00000002"]


def test_a_state_that_was_being_written_when_the_machine_stopped_does_not_count(tmp_path: Path) -> None:
    unfinished = tmp_path / "state" / ".unfinished-abc"
    unfinished.mkdir(parents=True)
    (unfinished / "weights.safetensors").write_bytes(b"half")

    assert not States(tmp_path).any()
    States(tmp_path).write(make_state(1))
    assert not unfinished.exists()


def test_if_no_state_is_whole_the_user_is_told(tmp_path: Path) -> None:
    States(tmp_path).write(make_state(1))
    (tmp_path / "state" / "step-00000001" / "weights.safetensors").unlink()

    with pytest.raises(RunError, match=r"No state in .* is whole"):
        States(tmp_path).newest()


def test_the_ladders_file_is_no_state(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "ladder.json").write_text("{}", encoding="utf-8")

    assert not States(tmp_path).any()
    assert States(tmp_path).newest() is None


def test_the_same_step_can_be_written_again(tmp_path: Path) -> None:
    for _ in range(2):
        States(tmp_path).write(make_state(1))

    assert States(tmp_path).newest() is not None

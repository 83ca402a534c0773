from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch

from advisor.errors import RunError
from advisor.files import read_bounded
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.state_manifest import Position
from tests.support.special_files import on_posix
from trainer.training import state as module
from trainer.training.state import State, States


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


def stretched(path: Path, num_bytes: int) -> Path:
    """A file made longer by a hole, which takes no room on the disk."""
    with path.open("r+b") as file:
        file.truncate(num_bytes)
    return path


@on_posix  # where files have holes
@pytest.mark.parametrize("name", ["weights.safetensors", "optimizer.pt"])
def test_a_file_that_is_longer_than_its_manifest_says_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for step in (1, 2):
        States(tmp_path).write(make_state(step))
    stretched(tmp_path / "state" / "step-00000002" / name, 2**42)
    read = list[Path]()

    def reading(path: Path, most_bytes: int) -> bytes:
        read.append(path)
        return read_bounded(path, most_bytes)

    monkeypatch.setattr(module, "read_bounded", reading)

    state = States(tmp_path).newest()

    assert state is not None
    assert state.position.step == 1
    assert {path.parent.name for path in read} == {"step-00000001"}


@on_posix
def test_a_state_of_more_than_the_free_memory_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    States(tmp_path).write(make_state(1))
    folder = tmp_path / "state" / "step-00000001"
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["optimizer.pt"]["bytes"] = 2**35
    (folder / "manifest.json").write_text(json.dumps(manifest))
    stretched(folder / "optimizer.pt", 2**35)
    monkeypatch.setattr(module, "free_memory_bytes", lambda: 2**34)

    with pytest.raises(RunError, match=r"step-00000001 has 32\.0 GiB, and 16\.0 GiB of memory are free"):
        States(tmp_path).newest()


@on_posix
def test_a_state_beyond_all_measure_counts_as_damaged(tmp_path: Path) -> None:
    States(tmp_path).write(make_state(1))
    folder = tmp_path / "state" / "step-00000001"
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["weights.safetensors"]["bytes"] = 2**42
    (folder / "manifest.json").write_text(json.dumps(manifest))
    stretched(folder / "weights.safetensors", 2**42)

    with pytest.raises(RunError, match="is whole"):
        States(tmp_path).newest()


def test_a_state_that_was_being_written_when_the_machine_stopped_does_not_count(tmp_path: Path) -> None:
    unfinished = tmp_path / "state" / ".unfinished-abc"
    unfinished.mkdir(parents=True)
    (unfinished / "weights.safetensors").write_bytes(b"half")
    (unfinished / ".optimizer.pt.abc.part").write_bytes(b"half")
    notes = tmp_path / "state" / ".unfinished-notes" / "mine.txt"
    notes.parent.mkdir()
    notes.write_text("mine")

    assert not States(tmp_path).any()
    States(tmp_path).write(make_state(1))
    assert not unfinished.exists()
    assert notes.read_text() == "mine"


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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("step", -5), ("step", 10**30), ("step", "x"), ("step", float("nan")), ("step", None), ("epoch", 2**63 - 1),
        ("epoch", [1]), ("step_in_epoch", 1.5),
    ],
)  # fmt: skip
def test_a_position_that_no_training_has_is_a_damaged_state(tmp_path: Path, name: str, value: object) -> None:
    assert not is_whole(tmp_path, lambda manifest: manifest["position"].update({name: value}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seconds", "x"), ("seconds", -1.0), ("seconds", float("nan")), ("epochs", 2**63 - 1), ("epochs", {}),
        ("config_hash", 5), ("version", 2), ("position", []), ("files", []), ("files", {"../../secret": {}}),
    ],
)  # fmt: skip
def test_a_manifest_that_no_training_writes_is_a_damaged_state(tmp_path: Path, name: str, value: object) -> None:
    assert not is_whole(tmp_path, lambda manifest: manifest.update({name: value}))


def test_a_manifest_of_before_says_nothing_of_epochs_and_optimizer(tmp_path: Path) -> None:
    assert is_whole(tmp_path, lambda manifest: [manifest.pop(name) for name in ("epochs", "optimizer_kind")])


def is_whole(run: Path, change: Callable[[dict[str, Any]], object]) -> bool:
    """Whether a state is read whose manifest was changed."""
    States(run).write(make_state(1))
    manifest = run / "state" / "step-00000001" / "manifest.json"
    tree = json.loads(manifest.read_text("utf-8"))
    change(tree)
    manifest.write_text(json.dumps(tree), "utf-8")
    states = States(run)
    try:
        return states.newest() is not None
    except RunError:
        assert states.damaged == ["step-00000001"]
        return False


def is_whole_with_optimizer(run: Path, content: bytes) -> bool:
    """Whether a state is read whose optimizer.pt has this content, as its manifest says."""
    path = run / "state" / "step-00000001" / "optimizer.pt"
    entry = {"bytes": len(content), "sha256": sha256(content).hexdigest()}
    return is_whole(
        run,
        lambda manifest: (path.write_bytes(content), manifest["files"].update({"optimizer.pt": entry})),
    )


def saved(others: object) -> bytes:
    content = io.BytesIO()
    torch.save(others, content)
    return content.getvalue()


@pytest.mark.parametrize(
    "others", [5, [], {}, {"optimizer": 5, "scaler": None}, {"optimizer": None, "scaler": {"scale": "x"}}]
)
def test_an_optimizers_memory_of_another_form_is_a_damaged_state(tmp_path: Path, others: object) -> None:
    assert not is_whole_with_optimizer(tmp_path, saved(others))


def test_a_state_that_unpacks_to_more_than_its_bytes_is_damaged(tmp_path: Path) -> None:
    plain = saved({"optimizer": {"state": {0: {"exp_avg": torch.zeros(10**6)}}}, "scaler": None})
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(plain)) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))

    assert is_whole_with_optimizer(tmp_path / "plain", plain)
    assert not is_whole_with_optimizer(tmp_path / "packed", packed.getvalue())


def test_so_is_one_with_a_tensor_that_is_larger_than_its_file(tmp_path: Path) -> None:
    repeated = {"optimizer": {"state": {0: {"exp_avg": torch.zeros(1).expand(10**6)}}}, "scaler": None}

    assert not is_whole_with_optimizer(tmp_path, saved(repeated))


def test_folders_and_files_of_the_users_among_the_states_stay(tmp_path: Path) -> None:
    for name in ("step-before-tuning1", "step-before-tuning2", "step-00000001-my-backup", "notes"):
        (tmp_path / "state" / name).mkdir(parents=True)
        (tmp_path / "state" / name / "manifest.json").write_text("mine")
    for step in (1, 2):
        States(tmp_path).write(make_state(step))
    (tmp_path / "state" / "step-00000001" / "why.txt").write_text("mine")

    for step in (3, 4):
        States(tmp_path).write(make_state(step))

    assert [path.name for path in RunFolder(tmp_path).states()] == ["step-00000003", "step-00000004"]
    assert (tmp_path / "state" / "step-00000001" / "why.txt").read_text() == "mine"
    assert len(list((tmp_path / "state").glob("*/manifest.json"))) == 4 + 2
    found = States(tmp_path).newest()
    assert found is not None
    assert found.position.step == 4


def test_a_state_written_anew_leaves_what_the_user_put_beside_it(tmp_path: Path) -> None:
    States(tmp_path).write(make_state(1))
    (tmp_path / "state" / "step-00000001" / "why.txt").write_text("mine")

    States(tmp_path).write(make_state(1))

    assert States(tmp_path).newest() is not None
    assert (tmp_path / "state" / "step-00000001.bak" / "why.txt").read_text() == "mine"

from __future__ import annotations

import json
from pathlib import Path

import pytest

from advisor.errors import RunError
from advisor.run_folder.ladder_file import Ladder, Taken
from advisor.run_folder.layout import RunFolder
from advisor.settings.config import TrainingConfig, blank_config, with_values

LADDER = Ladder(
    batch_parts=2,
    settings={"memory.gradient_checkpointing": True},
    taken=(Taken(rung="checkpointing", before={}, after={"memory.gradient_checkpointing": True}, message="m"),),
)


def test_a_ladder_comes_back(tmp_path: Path) -> None:
    RunFolder(tmp_path).write_ladder(LADDER)

    assert RunFolder(tmp_path).read_ladder() == LADDER
    assert (tmp_path / "state" / "ladder.json").is_file()


def test_where_memory_never_ran_out_nothing_is_changed(tmp_path: Path) -> None:
    assert RunFolder(tmp_path).read_ladder() == Ladder()


def test_what_a_newer_version_says_of_a_rung_is_passed_over(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.write_ladder(LADDER)
    tree = json.loads(run.ladder.read_text("utf-8"))
    tree["taken"][0]["mood"] = "sad"
    run.ladder.write_text(json.dumps(tree), "utf-8")

    assert run.read_ladder() == LADDER


@pytest.mark.parametrize("content", ["{", "[]", '{"batch_parts": 0}', '{"swapped_blocks": 4}', "x" * (1024 * 1024 + 1)])
def test_a_damaged_ladder_or_one_that_changes_what_is_not_known_is_refused(tmp_path: Path, content: str) -> None:
    run = RunFolder(tmp_path)
    run.state.mkdir()
    run.ladder.write_text(content, "utf-8")

    with pytest.raises(RunError, match=r"ladder\.json cannot be read .*delete it to train as loracle\.toml says"):
        run.read_ladder()


@pytest.mark.parametrize(
    "settings",
    [
        {"run.wandb_project": "theirs"}, {"saving.name": "../x"}, {"dataset.images": "/home"},
        {"network.start_from": "x"}, {"optimizer.name": "adamw", "model.path": "x"}, {"dataset.resolution_px": "x"},
        {"dataset.resolution_px": 10**30},
        {"optimizer.name": ["adamw"]}, {"memory.gradient_checkpointing": {}}, [], 5,
    ],
)  # fmt: skip
def test_a_ladder_changes_what_rungs_change_and_nothing_else(tmp_path: Path, settings: object) -> None:
    run = RunFolder(tmp_path)
    run.state.mkdir()
    run.ladder.write_text(json.dumps({"settings": settings}), "utf-8")

    with pytest.raises(RunError, match=r"ladder\.json cannot be read \(settings: .*: delete it to train as"):
        run.read_ladder()


@pytest.mark.parametrize(
    "entry", [{"batch_parts": 10**30}, {"batch_parts": 2.5}, {"taken": 5}, {"taken": [{"rung": "x", "before": {},
              "after": {}, "message": "m", "step": -5}]}, {"batch_parts": float("nan")}],
)  # fmt: skip
def test_a_ladder_of_numbers_that_no_run_has_is_refused(tmp_path: Path, entry: dict[str, object]) -> None:
    run = RunFolder(tmp_path)
    run.state.mkdir()
    run.ladder.write_text(json.dumps(entry), "utf-8")

    with pytest.raises(RunError, match=r"ladder\.json cannot be read"):
        run.read_ladder()


def rung(path: str, before: object, after: object) -> Taken:
    return Taken(rung="smaller", before={path: before}, after={path: after}, message="m")


PX, DTYPE = "dataset.resolution_px", "memory.base_dtype"


@pytest.mark.parametrize(
    ("toml", "trained"),
    [(512, 384), (768, 768), (384, 384), (448, 448)],
    ids=["as planned", "the user's", "the same", "between"],
)
def test_what_the_user_sets_after_a_rung_is_not_overruled_by_it(toml: int, trained: int) -> None:
    ladder = Ladder(settings={PX: 384}, taken=(rung(PX, 512, 448), rung(PX, 448, 384)))

    assert ladder.applied(config_with({PX: toml})).dataset.resolution_px == trained


def test_a_rung_taken_after_the_users_change_is_in_force() -> None:
    ladder = Ladder(settings={PX: 640}, taken=(rung(PX, 512, 448), rung(PX, 768, 640)))

    assert ladder.applied(config_with({PX: 768})).dataset.resolution_px == 640
    assert ladder.applied(config_with({PX: 512})).dataset.resolution_px == 512


def test_the_other_rungs_stay_in_force() -> None:
    kept = rung("memory.gradient_checkpointing", before=False, after=True)
    settings = {PX: 384, "memory.gradient_checkpointing": True}
    ladder = Ladder(batch_parts=2, settings=settings, taken=(rung(PX, 512, 384), kept, *LADDER.taken))
    config = config_with({PX: 768, "memory.gradient_checkpointing": False})

    left = ladder.in_force(config)

    assert (left.batch_parts, left.settings) == (2, {"memory.gradient_checkpointing": True})
    assert left.taken == (kept, *LADDER.taken)
    assert left.in_force(config) == left


def test_a_ladder_that_does_not_say_what_was_before_is_in_force() -> None:
    assert LADDER.in_force(config_with({"memory.gradient_checkpointing": False})) == LADDER


def test_another_unquantised_precision_is_no_change_of_the_users() -> None:
    ladder = Ladder(settings={DTYPE: "int8"}, taken=(rung(DTYPE, "float32", "int8"),))

    assert ladder.applied(config_with({DTYPE: "bfloat16"})).memory.base_dtype == "int8"
    assert ladder.applied(config_with({DTYPE: "nf4"})).memory.base_dtype == "nf4"


def config_with(values: dict[str, object]) -> TrainingConfig:
    return with_values(blank_config(), values)

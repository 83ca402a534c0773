"""Trainings that are broken off and gone on with, and what a seed decides."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from advisor.errors import RunError
from advisor.run_folder.config_file import read_config
from advisor.settings.config import TrainingConfig, blank_config, changed, with_values
from advisor.settings.earlier import ADDED_SETTINGS
from tests.support.runs import (
    events_of,
    make_config,
    metadata,
    run_material,
    run_training,
    same,
    weights,
    write_toml,
)
from trainer.runtime.interrupts import Interrupt, Interrupted
from trainer.training import stepper
from trainer.training.resuming import config_hash
from trainer.training.step_result import StepResult


def test_another_seed_gives_other_weights(finished: tuple[Path, TrainingConfig], tmp_path: Path) -> None:
    run, _ = finished

    run_training(tmp_path / "run", make_config(run_material(finished), run__seed=7))

    assert not same(weights(tmp_path / "run"), weights(run))


SOME_BLOCKS = {"memory.gradient_checkpointing": True, "memory.checkpointed_blocks": 4}


@pytest.mark.parametrize(("at_step", "settings"), [(3, {}), (4, SOME_BLOCKS)])
def test_an_interrupted_run_saves_its_work_and_goes_on_as_if_nothing_had_been(
    finished: tuple[Path, TrainingConfig], tmp_path: Path, at_step: int, settings: Mapping[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Also where activations of some blocks are computed a second time: the finished run kept them all."""
    run, config = finished[0], with_values(finished[1], settings)
    interrupt = Interrupt()
    make_step = stepper.Stepper.step

    def step(self: stepper.Stepper, batches: Any, *, step: int, epoch: int) -> StepResult:
        if step == at_step - 1:
            interrupt.ask()
        return make_step(self, batches, step=step, epoch=epoch)

    monkeypatch.setattr(stepper.Stepper, "step", step)
    with pytest.raises(Interrupted):
        run_training(tmp_path, config, interrupt=interrupt)
    monkeypatch.undo()

    assert (tmp_path / "model" / f"tok-step{at_step:08d}.safetensors").exists()
    with pytest.raises(RunError, match="--resume"):
        run_training(tmp_path, config)
    run_training(tmp_path, config, resume=True)
    assert same(weights(tmp_path), weights(run))
    assert [event["resumed_from"] for event in events_of(tmp_path, "started")] == [None, at_step]


@pytest.mark.parametrize(
    ("begun", "then", "told"), [(False, True, "no"), (True, True, "bf16"), (True, False, "no"), (None, True, "no")]
)
def test_a_training_on_the_processor_goes_on_in_the_numbers_that_it_was_begun_in(
    finished: tuple[Path, TrainingConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    begun: bool | None, then: bool, told: str,
) -> None:  # fmt: skip
    """Whether the processor had bfloat16 at first (None: the state is older than that) and has it now."""

    def on_processor(has_bfloat16: bool, steps: int, *, resume: bool) -> None:
        for place in ("device.choose", "training.resuming"):
            monkeypatch.setattr(f"trainer.{place}.has_bfloat16", lambda: has_bfloat16)
        config = make_config(
            run_material(finished), memory__preset="medium", schedule__max_steps=steps, schedule__name="constant"
        )
        run_training(tmp_path, config, device="cpu", resume=resume)

    on_processor(begun is not False, 1, resume=False)
    if begun is None:
        (state,) = (tmp_path / "state").glob("*/manifest.json")
        without = {key: value for key, value in json.loads(state.read_text()).items() if key != "compute_dtype"}
        state.write_text(json.dumps(without))
    on_processor(then, 2, resume=True)

    assert metadata(tmp_path / "model" / "tok.safetensors")["ss_mixed_precision"] == told


def test_the_second_resume_is_as_good_as_the_first(finished: tuple[Path, TrainingConfig], tmp_path: Path) -> None:
    material = run_material(finished)
    for number, steps in enumerate((1, 3)):
        short = make_config(material, schedule__max_steps=steps, schedule__name="constant")
        run_training(tmp_path / "cut", short, resume=number > 0)
    whole = make_config(material, schedule__max_steps=5, schedule__name="constant")

    run_training(tmp_path / "cut", whole, resume=True)
    run_training(tmp_path / "whole", whole)

    assert same(weights(tmp_path / "cut"), weights(tmp_path / "whole"))
    assert [event["code"] for event in events_of(tmp_path / "cut", "warning")] == ["config_changed"] * 2


def test_resuming_a_finished_run_changes_no_weight(finished: tuple[Path, TrainingConfig]) -> None:
    run, config = finished
    before = weights(run)
    log = run / "log" / "events.jsonl"
    events = log.read_bytes()

    run_training(run, config, resume=True)

    log.write_bytes(events)
    assert same(weights(run), before)


def test_a_dora_of_before_goes_on_with_its_own_axis_and_nothing_seems_changed(material: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"network__kind": "dora", "network__dora_axis": "output", "schedule__name": "constant"}
    before = make_config(material, **settings, schedule__max_steps=4)
    tree = before.model_dump(mode="json")
    for group, _, name in (path.partition(".") for path in ADDED_SETTINGS):
        del tree[group][name]
    without = json.dumps(tree, separators=(",", ":"), ensure_ascii=False)
    run_training(tmp_path / "whole", before)
    run_training(tmp_path / "cut", changed(before, "schedule.max_steps", 2))
    manifest = max((tmp_path / "cut" / "state").glob("step-*/manifest.json"))
    told = json.loads(manifest.read_text("utf-8"))
    told["config_hash"] = sha256(without.encode("utf-8")).hexdigest()[:16]
    manifest.write_text(json.dumps(told), "utf-8")
    lines = write_toml(tmp_path / "cut" / "loracle.toml", before).read_text("utf-8").splitlines(keepends=True)
    (tmp_path / "cut" / "loracle.toml").write_text("".join(line for line in lines if "dora_axis" not in line), "utf-8")

    run_training(tmp_path / "cut", read_config(tmp_path / "cut"), resume=True)

    assert same(weights(tmp_path / "cut"), weights(tmp_path / "whole"))
    assert events_of(tmp_path / "cut", "warning") == []


def test_resuming_with_another_rank_is_refused(finished: tuple[Path, TrainingConfig], tmp_path: Path) -> None:
    material = run_material(finished)
    run_training(tmp_path, make_config(material, schedule__max_steps=1))

    with pytest.raises(Exception, match="another LoRA than"):
        run_training(tmp_path, make_config(material, network__rank=8), resume=True)


@pytest.mark.parametrize(
    ("schedule", "told"),
    [
        ("cosine", "is now spread over 16 steps instead of 8. Step 8 had 4% of the full rate, the next one has 50%"),
        ("constant", "the learning rate (constant) goes on as in a training of 16 steps in one go."),
    ],
)
def test_more_epochs_are_told_with_what_becomes_of_the_learning_rate(
    material: Path, tmp_path: Path, schedule: str, told: str
) -> None:
    run_training(tmp_path, make_config(material, schedule__name=schedule))
    run_training(tmp_path, make_config(material, schedule__name=schedule, schedule__epochs=4), resume=True)

    (warning,) = events_of(tmp_path, "warning")
    assert warning["code"] == "epochs_changed"
    assert warning["message"].startswith("4 epochs in all instead of 2: ")
    assert told in warning["message"]


def test_settings_that_came_later_leave_the_hash_of_a_state_as_it_was() -> None:
    config = blank_config(model="/m", family="sd1", images="/i", name="mira")
    with_folder = changed(config, "dataset.folders", [{"path": "a", "repeats": 3}])

    assert config_hash(with_folder) == "383ce98b781c8023"
    assert config_hash(changed(with_folder, "dataset.only_folders", True)) != config_hash(with_folder)


def test_lines_drawn_because_of_wildcards_leave_the_hash_of_a_state_as_it_was() -> None:
    config = changed(blank_config(model="/m", family="sd1", images="/i", name="mira"), "dataset.wildcards", True)

    assert config_hash(changed(config, "dataset.caption_lines", "random")) == "5caa0029fedbe53d"
    assert config_hash(changed(config, "dataset.caption_lines", "first")) != "5caa0029fedbe53d"

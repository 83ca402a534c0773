"""What is kept of a training when memory runs out in the middle of a step."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save

from advisor.errors import OutOfMemory, RunError
from advisor.run_folder.ladder_file import Ladder
from advisor.run_folder.layout import RunFolder
from advisor.settings.config import TrainingConfig, changed
from tests.support.runs import events_of, make_config, run_training
from trainer.training import state, stepper
from trainer.training.step import training_loss
from trainer.training.step_result import StepResult

FULL = "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"


PER_EPOCH = 3
"""Steps, of two batches each."""


def long_epoch(material: Path, *, epochs: int = 1, **settings: Any) -> TrainingConfig:
    return make_config(
        material, dataset__repeats=2, schedule__epochs=epochs, schedule__gradient_accumulation=2, **settings
    )  # fmt: skip


def fails_in_step(number: int, when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory runs out in the step of this number, counted from 0: half way through it, or while weights change."""
    made, losses = stepper.Stepper.step, training_loss
    now = {"step": -1, "losses": 0}

    def step(self: stepper.Stepper, batches: Any, *, step: int, epoch: int) -> StepResult:
        now.update(step=step, losses=0)
        if when == "changing" and step == number:
            assert self.optimizer is not None
            monkeypatch.setattr(self.optimizer, "step", breaking_off(self.optimizer.step))
        return made(self, batches, step=step, epoch=epoch)

    def loss(*given: Any) -> torch.Tensor:
        now["losses"] += 1
        if when == "computing" and now == {"step": number, "losses": 2}:
            raise RuntimeError(FULL)
        return losses(*given)

    monkeypatch.setattr(stepper.Stepper, "step", step)
    monkeypatch.setattr("trainer.training.stepper.training_loss", loss)


def breaking_off(change: Callable[[], object]) -> Callable[[], object]:
    def changed() -> object:
        change()
        raise RuntimeError(FULL)

    return changed


def run_out_then_go_on(run: Path, config: TrainingConfig, *, at: int, when: str = "computing") -> None:
    with pytest.MonkeyPatch.context() as patch:
        fails_in_step(at, when, patch)
        with pytest.raises(OutOfMemory):
            run_training(run, config)
    RunFolder(run).write_ladder(Ladder(batch_parts=2))
    run_training(run, config, resume=any((run / "state").glob("step-*")))


def split_from_step(run: Path, config: TrainingConfig, *, at: int) -> None:
    """The same without any break: the batch is in two parts from that step on."""
    made = stepper.Stepper.step

    def step(self: stepper.Stepper, batches: Any, *, step: int, epoch: int) -> StepResult:
        self._batch_parts = 2 if step >= at else 1
        return made(self, batches, step=step, epoch=epoch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stepper.Stepper, "step", step)
        run_training(run, config)


@pytest.mark.parametrize("more", [{}, {"optimizer__name": "lion", "loss__ema": True, "network__dropout": 0.2}])
def test_training_goes_on_from_the_step_that_failed_bit_for_bit(
    material: Path, tmp_path: Path, more: dict[str, Any]
) -> None:
    config = long_epoch(material, **more)

    run_out_then_go_on(tmp_path / "cut", config, at=1)
    split_from_step(tmp_path / "whole", config, at=1)

    cut, whole = (load_file(tmp_path / name / "model" / "tok.safetensors") for name in ("cut", "whole"))
    assert [event["resumed_from"] for event in events_of(tmp_path / "cut", "started")] == [None, 1]
    assert all(torch.equal(cut[name], tensor) for name, tensor in whole.items())
    steps = [(event["step"], event["loss"]) for event in events_of(tmp_path / "cut", "step")]
    assert steps == [(event["step"], event["loss"]) for event in events_of(tmp_path / "whole", "step")]


def test_a_step_that_failed_while_it_changed_the_weights_is_not_gone_on_from(material: Path, tmp_path: Path) -> None:
    config = long_epoch(material)

    run_out_then_go_on(tmp_path / "cut", config, at=1, when="changing")

    assert [event["resumed_from"] for event in events_of(tmp_path / "cut", "started")] == [None, None]


def test_before_the_first_step_there_is_nothing_to_keep(material: Path, tmp_path: Path) -> None:
    run_out_then_go_on(tmp_path, long_epoch(material), at=0)

    assert [event["resumed_from"] for event in events_of(tmp_path, "started")] == [None, None]


def test_the_steps_tensors_are_gone_before_the_state_is_made(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, write = list[int](), state.States.write

    def in_a_graph() -> int:
        gc.collect()
        return sum(issubclass(type(one), torch.Tensor) and one.grad_fn is not None for one in gc.get_objects())

    def counting(self: state.States, made: state.State) -> None:
        seen.append(in_a_graph())
        write(self, made)

    before = in_a_graph()

    monkeypatch.setattr(state.States, "write", counting)
    fails_in_step(1, "computing", monkeypatch)

    with pytest.raises(OutOfMemory):
        run_training(tmp_path, long_epoch(material))

    assert seen == [before]


def test_a_state_that_cannot_be_made_leaves_the_one_before(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = long_epoch(material, epochs=2)
    fails_in_step(PER_EPOCH + 1, "computing", monkeypatch)

    def full(weights: Any) -> bytes:
        if (tmp_path / "state").exists() and any((tmp_path / "state").glob("step-*")):
            raise MemoryError
        serialized: bytes = save(weights)
        return serialized

    monkeypatch.setattr("trainer.training.state.save", full)

    with pytest.raises(OutOfMemory):
        run_training(tmp_path, config)

    assert [path.name for path in (tmp_path / "state").iterdir()] == [f"step-{PER_EPOCH:08d}"]
    assert [event["code"] for event in events_of(tmp_path, "warning")] == ["state_not_saved"]
    found = state.States(tmp_path).newest()
    assert found is not None
    assert found.position.step == PER_EPOCH


def test_another_optimizer_by_the_ladder_begins_without_the_firsts_memory(material: Path, tmp_path: Path) -> None:
    config = long_epoch(material)
    with pytest.MonkeyPatch.context() as patch:
        fails_in_step(1, "computing", patch)
        with pytest.raises(OutOfMemory):
            run_training(tmp_path, config)

    with pytest.raises(RunError, match="another optimizer"):
        run_training(tmp_path, changed(config, "optimizer.name", "lion"), resume=True)
    RunFolder(tmp_path).write_ladder(Ladder(settings={"optimizer.name": "lion"}))
    run_training(tmp_path, config, resume=True)

    (warning,) = events_of(tmp_path, "warning")[-1:]
    assert warning["code"] == "optimizer_began_anew"
    assert warning["message"].startswith("Lion begins without what AdamW remembered")
    assert [event["steps"] for event in events_of(tmp_path, "finished")] == [PER_EPOCH]


@pytest.mark.parametrize(
    "changes",
    [
        {"memory.gradient_checkpointing": True},
        {"memory.base_dtype": "int8"},
        {"memory.base_dtype": "nf4"},
        {"dataset.resolution_px": 64},
    ],
)
def test_every_rung_is_trained_on_from_the_middle_of_an_epoch(
    material: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    config = long_epoch(material)
    with pytest.MonkeyPatch.context() as patch:
        fails_in_step(1, "computing", patch)
        with pytest.raises(OutOfMemory):
            run_training(tmp_path, config)

    RunFolder(tmp_path).write_ladder(Ladder(settings=changes))
    run_training(tmp_path, config, resume=True)

    assert [event["resumed_from"] for event in events_of(tmp_path, "started")] == [None, 1]
    (finished,) = events_of(tmp_path, "finished")
    assert finished["reload_check"]["unet_change"] > 0
    assert all(event["loss"] < 10 for event in events_of(tmp_path, "step"))

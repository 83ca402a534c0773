"""Loss and gradient norm are read after the next step was started, where the device still computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from advisor.errors import TrainingStopped
from advisor.settings.config import TrainingConfig
from tests.support.runs import events_of, make_config, run_training, same, weights
from trainer.optim.guarded_step import decides_on_device, step_if_finite
from trainer.runtime.interrupts import Interrupt, Interrupted
from trainer.training.step import training_loss
from trainer.training.step_result import StepResult
from trainer.training.stepper import Stepper

WAITING = {"item", "tolist", "__bool__", "__float__", "__int__", "numpy"}


class _Asked(TorchFunctionMode):
    """Counts what hands a tensor's values to Python."""

    def __init__(self) -> None:
        super().__init__()
        self.names = list[str]()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") in WAITING:
            self.names.append(func.__name__)
        return func(*args, **(kwargs or {}))


class _Fetched(TorchDispatchMode):
    """Counts single values that torch's own code fetches."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.total += func._schema.name in ("aten::_local_scalar_dense", "aten::nonzero")
        return func(*args, **(kwargs or {}))


@pytest.fixture
def computing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that is never done before it is waited for."""
    monkeypatch.setattr(StepResult, "is_there", False)


def waits(material: Path, run: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> tuple[list[str], int]:
    """What waits for values within the steps of a training."""
    asked, fetched, made = _Asked(), _Fetched(), Stepper.step

    def step(self: Stepper, batches: Any, *, step: int, epoch: int) -> StepResult:
        with asked, fetched:
            return made(self, batches, step=step, epoch=epoch)

    monkeypatch.setattr(Stepper, "step", step)
    run_training(run, make_config(material, schedule__epochs=1, **settings))
    return asked.names, fetched.total


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_nothing_waits_for_the_device_within_a_step_of_adamw(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str
) -> None:
    assert waits(material, tmp_path, monkeypatch, memory__compute_dtype=dtype) == ([], 0)


def test_an_optimizer_that_cannot_leave_a_step_out_waits_once_a_step(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, fetched = waits(material, tmp_path, monkeypatch, optimizer__name="lion")

    assert names == ["tolist"] * len(events_of(tmp_path, "step"))
    assert fetched == 0


@pytest.mark.usefixtures("computing")
def test_a_training_that_is_read_late_gives_the_same(finished: tuple[Path, TrainingConfig], tmp_path: Path) -> None:
    run, config = finished
    run_training(tmp_path, config)

    assert same(weights(tmp_path), weights(run))
    assert [(one["step"], one["loss"]) for one in events_of(tmp_path, "step")] == [
        (one["step"], one["loss"]) for one in events_of(run, "step")
    ]
    kinds, others = ([one["event"] for one in events_of(where)] for where in (tmp_path, run))
    assert [one for one in kinds if one != "progress"] == [one for one in others if one != "progress"]


@pytest.mark.usefixtures("computing")
def test_a_loss_that_is_no_number_stops_a_step_later_and_reaches_no_weight(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, steppers = list[int](), list[Stepper]()
    made = Stepper.step

    def bad(*arguments: Any) -> torch.Tensor:
        calls.append(1)
        return training_loss(*arguments) * (float("nan") if len(calls) == 3 else 1.0)

    def step(self: Stepper, batches: Any, *, step: int, epoch: int) -> StepResult:
        steppers.append(self)
        return made(self, batches, step=step, epoch=epoch)

    monkeypatch.setattr("trainer.training.stepper.training_loss", bad)
    monkeypatch.setattr(Stepper, "step", step)
    with pytest.raises(TrainingStopped, match="step 3 "):
        run_training(tmp_path, make_config(material))

    assert [one["step"] for one in events_of(tmp_path, "step")] == [1, 2, 3]
    assert all(bool(one.isfinite().all()) for one in steppers[0].weights().values())


@pytest.mark.usefixtures("computing")
def test_whoever_stops_has_all_steps_told_and_goes_on_to_the_same(
    finished: tuple[Path, TrainingConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, config = finished
    interrupt, made = Interrupt(), Stepper.step

    def step(self: Stepper, batches: Any, *, step: int, epoch: int) -> StepResult:
        if step == 2:
            interrupt.ask()
        return made(self, batches, step=step, epoch=epoch)

    with monkeypatch.context() as patch:
        patch.setattr(Stepper, "step", step)
        with pytest.raises(Interrupted):
            run_training(tmp_path, config, interrupt=interrupt)
    assert [one["step"] for one in events_of(tmp_path, "step")] == [1, 2, 3]
    run_training(tmp_path, config, resume=True)

    assert same(weights(tmp_path), weights(run))


def test_a_step_with_a_number_that_is_not_finite_is_left_out_without_being_looked_at() -> None:
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.AdamW([weight], lr=0.1, fused=True)
    assert decides_on_device(optimizer)

    for numbers, moves in (([1.0, 2.0], True), ([float("nan"), 2.0], False), ([1.0, float("inf")], False)):
        before = weight.detach().clone()
        weight.grad = torch.full((3,), float("nan") if not moves else 1.0)
        step_if_finite(optimizer, torch.tensor(numbers))

        assert torch.equal(weight, before) != moves
        assert bool(weight.isfinite().all())
    assert int(optimizer.state[weight]["step"]) == 1
    assert not hasattr(optimizer, "found_inf")

"""Whole trainings with blocks that wait in the machine's memory, on a device that has memory of its own as far as the
trainer knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from advisor.settings.config import TrainingConfig
from tests.support.runs import events_of, make_config, run_material, run_training, same, weights
from tests.trainer.device.test_swapped_blocks import CountingMover
from trainer.runtime.interrupts import Interrupt, Interrupted
from trainer.training import prepare, stepper

Finished = tuple[Path, TrainingConfig]


@pytest.fixture
def mover(monkeypatch: pytest.MonkeyPatch) -> CountingMover:
    found = CountingMover()
    monkeypatch.setattr(prepare, "mover_for", lambda _: found)
    return found


def test_the_lora_is_that_of_a_whole_model_to_the_bit_whether_or_not_it_was_broken_off(
    finished: Finished, tmp_path: Path, mover: CountingMover, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = finished
    config = make_config(run_material(finished), memory__swapped_blocks=9)
    interrupt, make_step = Interrupt(), stepper.Stepper.step

    def step(self: stepper.Stepper, batches: Any, *, step: int, epoch: int) -> Any:
        if step == 2:
            interrupt.ask()
        return make_step(self, batches, step=step, epoch=epoch)

    monkeypatch.setattr(stepper.Stepper, "step", step)
    with pytest.raises(Interrupted):
        run_training(tmp_path, config, interrupt=interrupt)
    monkeypatch.setattr(stepper.Stepper, "step", make_step)
    run_training(tmp_path, config, resume=True)

    assert same(weights(tmp_path), weights(run))
    assert [event["resumed_from"] for event in events_of(tmp_path, "started")] == [None, 3]
    assert mover.started > 9
    assert mover.most <= 4  # two for each of the two trainings of this process


def test_pictures_are_drawn_and_the_lora_is_read_back_with_blocks_that_wait(
    finished: Finished, tmp_path: Path, mover: CountingMover
) -> None:
    config = make_config(
        run_material(finished), memory__swapped_blocks=30, memory__base_dtype="int8",
        memory__gradient_checkpointing=True, schedule__epochs=1,
        sampling__prompts=("tok",), sampling__every_epochs=1, sampling__steps=2,
    )  # fmt: skip
    run_training(tmp_path, config)
    check = events_of(tmp_path, "finished")[0]["reload_check"]

    assert (check["missing"], check["unexpected"], check["zero_change"]) == (0, 0, 0.0)
    assert check["difference"] < check["tolerance"]
    assert len(list((tmp_path / "samples").glob("*.png"))) == 2  # of the base model and of the LoRA
    assert not events_of(tmp_path, "warning")
    assert mover.most <= 2

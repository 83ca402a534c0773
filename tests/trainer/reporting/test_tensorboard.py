"""What TensorBoard shows, read back with its own reader."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from advisor.run_folder.events import AnyEvent, SampleDrawn, StepDone, Validated
from tests.support.pictures import draw_picture
from trainer.reporting.tensorboard import TensorBoard


def step_done(step: int, loss: float | None) -> StepDone:
    return StepDone(step=step, loss=loss, unet_learning_rate=1e-4, gradient_norm=0.5, seconds=0.1, memory_bytes=1000)


def shown(run: Path, *events: AnyEvent) -> EventAccumulator:
    board = TensorBoard(run)
    for event in events:
        board(event)
    board.close()
    reader = EventAccumulator(str(run / "log"))
    reader.Reload()
    return reader


def test_there_are_curves_for_loss_rates_norm_speed_and_memory(tmp_path: Path) -> None:
    reader = shown(tmp_path, step_done(1, 1.0), step_done(2, 2.0))

    assert set(reader.Tags()["scalars"]) == {
        "loss/step", "loss/smoothed", "learning_rate/unet", "gradient_norm", "seconds_per_step", "memory_bytes"
    }  # fmt: skip
    assert [entry.value for entry in reader.Scalars("loss/step")] == [1.0, 2.0]
    assert [entry.value for entry in reader.Scalars("loss/smoothed")] == pytest.approx([1.0, 1.05])


def test_the_validation_loss_has_a_curve(tmp_path: Path) -> None:
    reader = shown(tmp_path, Validated(step=8, epoch=2, loss=0.25))

    assert [(entry.step, entry.value) for entry in reader.Scalars("loss/validation")] == [(8, 0.25)]


def test_samples_are_shown_at_their_step(tmp_path: Path) -> None:
    draw_picture(tmp_path / "a.png", (64, 32))

    reader = shown(tmp_path, step_done(4, 1.0), SampleDrawn(path="a.png", prompt="tok", epoch=1))

    (image,) = reader.Images("samples/tok")
    assert (image.step, image.width, image.height) == (4, 64, 32)


def test_a_loss_that_is_no_number_leaves_a_gap(tmp_path: Path) -> None:
    reader = shown(tmp_path, step_done(1, None), step_done(2, 3.0))

    assert [(entry.step, entry.value) for entry in reader.Scalars("loss/smoothed")] == [(2, 3.0)]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows moves no folder in which a file is open")
def test_curves_of_a_run_that_is_moved_meanwhile_go_with_it_and_into_no_other_folder(tmp_path: Path) -> None:
    run = tmp_path / "run"
    board = TensorBoard(run)
    run.rename(tmp_path / "moved")
    (run / "log").mkdir(parents=True)
    board(step_done(1, 1.0))
    board.close()

    assert not list((run / "log").iterdir())
    reader = EventAccumulator(str(tmp_path / "moved/log"))
    reader.Reload()
    assert [entry.value for entry in reader.Scalars("loss/step")] == [1.0]


def test_a_point_is_on_the_disk_at_once(tmp_path: Path) -> None:
    board = TensorBoard(tmp_path)
    board(step_done(1, 1.0))

    reader = EventAccumulator(str(tmp_path / "log"))
    reader.Reload()
    assert [entry.value for entry in reader.Scalars("loss/step")] == [1.0]
    board.close()

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from advisor.units import duration
from wizard.show.durations import clock_time
from wizard.show.progress import TrainingProgress
from wizard.show.screen import PlainScreen, progress_line

TRAINING = TrainingProgress(
    phase="train", done=30, total=600, step=30, steps=600, epoch=2, loss=0.1234, step_seconds=(2.0,)
)


def test_plain_output_has_a_line_for_a_phase_and_one_now_and_then() -> None:
    lines: list[str] = []
    clock = iter([0.0, 5.0, 31.0, 31.0])
    screen = PlainScreen(lines.append, lambda: next(clock))

    screen.show(TrainingProgress(phase="load"))
    screen.show(TrainingProgress(phase="load", done=1, total=2))
    screen.show(TrainingProgress(phase="load", done=2, total=2))

    assert lines == ["Loading the base model", "Loading the base model: 2 of 2"]


def test_a_line_of_training_tells_loss_speed_and_the_end() -> None:
    line = progress_line(TRAINING)

    assert line.startswith("Training, epoch 2: 30 of 600, loss 0.1234, 2.00 s/step, done ")
    assert line.endswith("19 minutes left")


def test_the_number_of_epochs_is_told_once_it_is_known() -> None:
    assert progress_line(replace(TRAINING, epochs=10)).startswith("Training, epoch 2 of 10: 30 of 600, ")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "1 second"), (40, "40 seconds"), (90, "2 minutes"), (1500, "25 minutes"), (7200, "2 hours"),
        (11400, "3 hours 10 minutes"), (187200, "2 days 4 hours"), (86400, "1 day"),
        (1e100, "more than 100 years"), (float("inf"), "more than 100 years"),
    ],
)  # fmt: skip
def test_durations_are_told_as_people_tell_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_end_is_told_by_the_clock() -> None:
    noon = datetime(2026, 3, 2, 12, 0).timestamp()

    assert clock_time(noon, 3600) == "13:00"
    assert clock_time(noon, 86400) == "Tue 12:00"
    assert clock_time(noon, 30 * 86400) == "2026-04-01"
    assert clock_time(noon + 11.9 * 3600, 1800) == "00:24"
    assert clock_time(noon + 11.9 * 3600, 43200) == "Tue 11:54"
    assert clock_time(noon, -1e100) == "12:00"
    assert clock_time(noon, 1e100) == "in more than 100 years"

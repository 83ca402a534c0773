from __future__ import annotations

import io
import re
from datetime import datetime

import pytest

from wizard.show.durations import clock_time, duration
from wizard.show.progress import TrainingProgress
from wizard.show.screen import LiveScreen, PlainScreen, progress_line

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


def test_the_live_bar_fits_80_columns() -> None:
    file = io.StringIO()
    screen = LiveScreen(file)
    screen.show(TrainingProgress(phase="load"))
    screen.show(TRAINING)
    screen.note("Saved model/mira-000001.safetensors")
    screen.close()

    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue())
    assert "Saved model/mira-000001.safetensors" in plain
    assert "30/600 loss 0.1234, 2.00 s/step" in plain
    assert max(len(line) for line in re.split(r"[\r\n]", plain)) <= 80


def test_a_phase_of_unknown_length_tells_no_number_of_its_own() -> None:
    file = io.StringIO()
    screen = LiveScreen(file)
    screen.show(TrainingProgress(phase="start"))
    screen.close()

    assert "100" not in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue())


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "1 second"), (40, "40 seconds"), (90, "2 minutes"), (1500, "25 minutes"), (7200, "2 hours"),
        (11400, "3 hours 10 minutes"), (187200, "2 days 4 hours"), (86400, "1 day"),
    ],
)  # fmt: skip
def test_durations_are_told_as_people_tell_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_end_is_told_by_the_clock() -> None:
    noon = datetime(2026, 3, 2, 12, 0).timestamp()

    assert clock_time(noon, 3600) == "13:00"
    assert clock_time(noon, 86400) == "Tue 12:00"
    assert clock_time(noon, 30 * 86400) == "2026-04-01"

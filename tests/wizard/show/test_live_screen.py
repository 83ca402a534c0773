from __future__ import annotations

import io
import re
from datetime import datetime

import pytest
from rich.console import Console

from wizard.show.durations import clock_time
from wizard.show.live_screen import LiveScreen, bar_row
from wizard.show.progress import TrainingProgress

TRAINING = TrainingProgress(
    phase="train", done=30, total=600, step=30, steps=600, epoch=2, epochs=10, loss=0.1234, step_seconds=(2.0,)
)


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def drawn(progress: TrainingProgress, width: int) -> str:
    file = io.StringIO()
    Console(file=file, width=width).print(bar_row(progress, width))
    return file.getvalue().rstrip("\n")


def test_a_warning_of_several_lines_hangs_behind_its_mark() -> None:
    file = io.StringIO()
    screen = LiveScreen(file)
    screen.note("! " + "a picture is cropped " * 10)
    screen.close()

    first, second = plain(file.getvalue()).splitlines()[:2]
    assert first.startswith("! a picture is cropped")
    assert second.startswith("  cropped a picture is")


@pytest.mark.parametrize("hour", [12, 23.9])
def test_the_bar_fits_80_columns_with_all_figures(monkeypatch: pytest.MonkeyPatch, hour: float) -> None:
    now = datetime(2026, 3, 2).timestamp() + hour * 3600
    monkeypatch.setattr("wizard.show.screen.clock_time", lambda _, seconds: clock_time(now, seconds))
    file = io.StringIO()
    screen = LiveScreen(file)
    screen.show(TrainingProgress(phase="load"))
    screen.show(TRAINING)
    screen.note("Saved model/mira-000001.safetensors")
    screen.close()

    text = plain(file.getvalue())
    assert "Saved model/mira-000001.safetensors" in text
    assert "Training, epoch 2 of 10 " in text
    assert "30/600 loss 0.1234, 2.00 s/step, done " in text
    assert max(len(line) for line in re.split(r"[\r\n]", text)) < 80


def test_a_phase_of_unknown_length_tells_no_number_of_its_own() -> None:
    assert not re.search(r"\d", drawn(TrainingProgress(phase="start"), 79))


@pytest.mark.parametrize("width", range(12, 120))
def test_the_bar_is_one_line_at_any_width(width: int) -> None:
    line = drawn(TRAINING, width)

    assert len(line.splitlines()) == 1
    assert len(line) <= width


@pytest.mark.parametrize(("width", "tail"), [(59, "30/600 done "), (70, "30/600 loss 0.1234, done "), (40, "30/600")])
def test_in_narrow_windows_figures_are_left_out_the_end_last(width: int, tail: str) -> None:
    line = drawn(TRAINING, width)

    assert tail in line
    assert line.startswith("Training, epoch 2 of 10 ")


class Terminal(io.StringIO):
    """What is written to a terminal."""

    def isatty(self) -> bool:
        return True


def test_in_a_narrower_window_the_rows_of_the_broken_line_are_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    file = Terminal()
    screen = LiveScreen(file)
    try:
        screen.show(TRAINING)
        screen._live.refresh()
        screen._live.refresh()
        assert "\x1b[1A" not in file.getvalue()

        monkeypatch.setenv("COLUMNS", "40")  # what was 79 columns wide takes 3 rows of 39 now
        screen._live.refresh()
        screen._live.refresh()
        assert file.getvalue().count("\x1b[1A") == 2
    finally:
        screen.close()

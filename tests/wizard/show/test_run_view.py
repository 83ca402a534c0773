from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from advisor.choosing.cells import Choice
from advisor.run_folder.events import Finished
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import Holder
from advisor.run_folder.run_state import RunState
from wizard.show.progress import TrainingProgress
from wizard.show.run_view import RunStatus, UnreadableRun, ago, runs_view, status_document, status_view

NOW = 1_800_000_000.0
TRAINING = TrainingProgress(
    phase="train", done=30, total=600, step=30, steps=600, epoch=2, epochs=10, loss=0.1234, step_seconds=(2.0,),
    loras=("model/mira-000001.safetensors",),
)  # fmt: skip
HOLDER = Holder(123, "box", NOW - 60, "loracle train")


def made(activity: Any, progress: TrainingProgress = TRAINING, *, message: str = "", **more: Any) -> RunStatus:
    holder = HOLDER if activity == "training" else None
    run = RunFolder(Path("/runs/mira"))
    return RunStatus(run, "mira", RunState(activity, message, holder), progress, NOW - 7200, **more)


def drawn(view: object, width: int = 80) -> str:
    file = io.StringIO()
    Console(file=file, width=width).print(view)
    return file.getvalue()


def test_a_running_one_tells_how_far_it_is_and_who_trains_it() -> None:
    text = " ".join(drawn(status_view(made("training"), now=NOW)).split())

    assert "epoch 2 of 10, step 30 of 600, loss 0.1234, 2.00 s/step" in text
    assert "process 123 on box" in text
    assert "about 19 minutes left" in text
    assert "1 saved, the last model/mira-000001.safetensors" in text


def test_a_dead_one_says_so_and_how_to_go_on() -> None:
    text = " ".join(drawn(status_view(made("died", can_resume=True), now=NOW)).split())

    assert "dead: its trainer ended without a word" in text
    assert "heard of 2 hours ago" in text
    assert "train" in text
    assert "--resume" in text
    assert "left" not in text


def test_why_one_stopped_is_told() -> None:
    assert "the loss is no number" in drawn(status_view(made("failed", message="the loss is no number"), now=NOW))


def test_a_finished_one_tells_all_that_it_made() -> None:
    done = TrainingProgress(epoch=10, epochs=10, step=600, steps=600, finished=Finished(steps=600, epochs=10))

    assert "10 epochs, 600 steps" in drawn(status_view(made("finished", done), now=NOW))


def test_the_epoch_to_use_is_told_with_its_reason() -> None:
    choice = Choice("good", 2, 1.0, (2,), 1, None, 0.9, "Epoch 2 of 3: 0.80 like your pictures.")

    assert "Epoch 2 of 3" in drawn(status_view(made("finished", choice=choice), now=NOW))


@pytest.mark.parametrize("width", [40, 60, 80])
def test_the_list_has_a_row_for_each_at_any_width(width: int) -> None:
    runs: list[RunStatus | UnreadableRun] = [
        made("training"),
        made("planned", TrainingProgress()),
        UnreadableRun(RunFolder(Path("/x")), "it is no TOML"),
    ]
    text = drawn(runs_view(runs, here=Path("/runs"), now=NOW), width)

    assert [line.split()[0] for line in text.splitlines() if not line.startswith(" ")] == [
        "training", "planned", "unreadable"
    ]  # fmt: skip
    assert "epoch 2 of 10" in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= width


def test_runs_here_are_named_as_one_types_them() -> None:
    text = drawn(runs_view([made("training")], here=Path("/runs"), now=NOW))

    assert "training  mira  " in text
    assert "/runs/mira" in drawn(runs_view([made("training")], here=Path("/elsewhere"), now=NOW))


def test_the_documents_are_plain_json() -> None:
    found = json.loads(json.dumps(status_document(made("training"))))

    assert (found["state"], found["step"], found["epochs"], found["holder"]["pid"]) == ("training", 30, 10, 123)
    assert found["seconds_left"] == 1140.0
    assert status_document(made("died"))["seconds_left"] is None


def test_times_are_told_as_people_tell_them() -> None:
    assert [ago(5), ago(7200)] == ["just now", "2 hours ago"]


def test_a_folder_s_name_makes_no_line_of_its_own() -> None:
    one = UnreadableRun(RunFolder(Path("/runs/mira\nfinished")), "no TOML")

    assert "mira\\nfinished" in drawn(runs_view([one], here=Path("/"), now=NOW))

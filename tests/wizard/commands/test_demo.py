"""`loracle demo` after its training: what fails there is told, and the LoRA counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from advisor.errors import LoraError, TrainingStopped
from advisor.run_folder.events import Finished
from wizard.commands import demo as command
from wizard.commands.demo import demo
from wizard.exit_codes import TrainerBroke
from wizard.show.progress import TrainingProgress

TRAINED = TrainingProgress(loras=("model/zuvi.safetensors",), finished=Finished(loras=("model/zuvi.safetensors",)))


def trains_then(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """The training ends well, and the process after it fails."""
    started = list[object]()

    def run_trainer(job: object, *_: Any, **__: Any) -> TrainingProgress:
        started.append(job)
        if len(started) > 1:
            raise error
        return TRAINED

    monkeypatch.setattr(command, "run_trainer", run_trainer)


@pytest.mark.parametrize(
    "error", [TrainerBroke("The trainer broke."), LoraError("no pictures"), TrainingStopped("crashed"), OSError("gone")]
)
def test_figures_that_cannot_be_made_fail_no_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    trains_then(error, monkeypatch)

    demo(tmp_path / "run", as_json=True)

    said = capsys.readouterr()
    document = json.loads(said.out)
    assert (document["identity"], document["obedience"], document["leak"]) == (None, None, None)
    assert document["loras"] == ["model/zuvi.safetensors"]
    assert said.err.count("The LoRA is there, but not what it learned in figures: ") == 1
    assert (tmp_path / "run/report.html").is_file()


def test_a_report_that_cannot_be_written_fails_none_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trains_then(LoraError("no pictures"), monkeypatch)
    monkeypatch.setattr(command, "try_run_report", lambda _: (tmp_path / "run/plan.json/x").read_bytes())

    demo(tmp_path / "run")

    said = capsys.readouterr()
    assert "No report was written: NotADirectoryError" in said.err
    assert "LoRA:" in said.out
    assert "Report:" not in said.out


def test_what_the_demo_does_on_purpose_is_warned_of_by_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trains_then(LoraError("no pictures"), monkeypatch)

    demo(tmp_path / "run")

    said = capsys.readouterr().out
    assert "zuvi: a character" in said
    assert "belongs to another optimizer" not in said
    assert "no card is used" not in said
    assert json.loads((tmp_path / "run/plan.json").read_text("utf-8"))["warnings"] == []

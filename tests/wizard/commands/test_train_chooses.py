"""After a training that drew pictures the epoch to use is looked for; whatever fails there, the training counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.choosing.cells import Choice
from advisor.errors import LoraError
from advisor.run_folder.events import Finished
from advisor.run_folder.layout import RunFolder
from advisor.settings.config import TrainingConfig
from tests.support.fake_trainer import run_folder
from wizard.commands import train as command
from wizard.interview.drawing import evaluation
from wizard.interview.drawing.evaluation import Recommended
from wizard.processes.trainer_job import TrainerJob
from wizard.show.progress import TrainingProgress

TRAINED = TrainingProgress(
    loras=("model/tok.safetensors",), step=8, finished=Finished(steps=8, epochs=2, seconds=100.0)
)
CHOICE = Choice("burnt", 1, 0.8, (1,), None, 2, 0.9, "Burnt from epoch 2 of 2 on.", {"schedule.epochs": 1})


def begun(tmp_path: Path, *, prompts: tuple[str, ...] = ("tok",)) -> tuple[TrainerJob, TrainingConfig]:
    run = RunFolder(run_folder(tmp_path, sampling__prompts=prompts))
    return TrainerJob(run), run.read_config()


def looked_for(job: TrainerJob, config: TrainingConfig, progress: TrainingProgress = TRAINED) -> Recommended | None:
    return command._looked_at(job, config, progress, as_json=True).found


@pytest.mark.parametrize("error", [LoraError("no memory"), OSError("gone"), KeyboardInterrupt("interrupted")])
def test_what_fails_there_is_told_and_fails_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException
) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(evaluation, "recommended", fails)

    assert looked_for(*begun(tmp_path)) is None
    assert str(error) in capsys.readouterr().err


def test_a_training_without_pictures_or_that_did_not_end_is_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "recommended", lambda *_: pytest.fail("looked at"))
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    assert looked_for(*begun(tmp_path / "a", prompts=())) is None
    assert looked_for(*begun(tmp_path / "b"), TrainingProgress(loras=("model/tok.safetensors",))) is None


def test_the_chosen_file_and_weight_are_told_and_how_the_next_run_is_planned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job, config = begun(tmp_path)
    found = Recommended(CHOICE, job.run.path / "model" / "tok-000001.safetensors")

    command.print_result(job, config, command.Trained(TRAINED, found), may_ask=False)

    said = capsys.readouterr().out.replace("\n", "")
    assert "Burnt from epoch 2 of 2 on." in said
    assert "tok-000001.safetensors" in said
    assert "<lora:tok-000001:0.8>" in said
    assert "--set schedule.epochs=1" in said

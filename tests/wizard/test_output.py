"""What is said in a terminal and elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from advisor.checkpoints.identity import Identity
from tests.support.fake_trainer import run_folder
from wizard.commands.train import train
from wizard.output import say
from wizard.processes.trainer_job import TrainerJob
from wizard.show.identity_view import identity_lines
from wizard.show.screen import Screen

LONG = "there is no setting network.rnak: did you mean network.rank or network.conv_rank or network.block_ranks?"


@pytest.mark.parametrize(("terminal", "lines"), [(True, 2), (False, 1)])
def test_talk_is_broken_between_words_in_a_terminal_only(
    terminal: bool, lines: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    say(LONG)

    said = capsys.readouterr().err
    assert len(said.splitlines()) == lines
    assert " ".join(said.split()) == LONG


def test_further_lines_of_a_fact_stand_below_its_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    identity = Identity(path="a.safetensors", kind="lora", prediction="epsilon", why_not="it is a LoRA and so " * 6)

    lines = identity_lines(identity).splitlines()
    assert "predicts    noise" in lines
    assert lines[-1].startswith(" " * 12)
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("saved", [True, False])
def test_an_interrupted_training_tells_how_to_go_on(
    saved: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(job: TrainerJob, _: Screen) -> None:
        if saved:
            job.run.state_of_step(1).mkdir(parents=True)
        raise KeyboardInterrupt("Training was interrupted")

    run = run_folder(tmp_path)
    monkeypatch.setenv("LORACLE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("wizard.commands.train.train_with_retries", interrupted)
    monkeypatch.setattr("wizard.show.run_report.try_run_report", lambda _: None)
    with pytest.raises(KeyboardInterrupt) as told:
        train(run)

    assert (f'Go on with: loracle train "{run}" --resume' in str(told.value)) == saved

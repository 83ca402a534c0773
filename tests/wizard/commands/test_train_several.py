"""`loracle train A B C`: one after another, whatever becomes of the others."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from advisor.errors import LoraError, RunError, TrainingStopped
from advisor.run_folder.event_file import EventWriter
from advisor.run_folder.events import Finished, LoraSaved, StepDone
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import writing
from tests.support import miniature_trainer
from tests.support.killed import command, has_begun, wait_for
from tests.support.runs import events_of, make_config, write_toml
from tests.support.states import write_state_manifest
from wizard.commands import train as train_command
from wizard.commands import train_several as several_command
from wizard.commands.train_listed import ListedOptions, train_listed
from wizard.commands.train_several import NotAllTrained, train_several
from wizard.exit_codes import TrainerBroke
from wizard.processes.trainer_job import TrainerJob
from wizard.show.list_summary import RunOutcome
from wizard.show.progress import TrainingProgress

Trainer = Callable[[TrainerJob], None]


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """Three planned runs, with names that names can have."""
    config = make_config(tmp_path)
    names = ("a b", "Füchse", "🦊")
    return [write_toml(tmp_path / name / "loracle.toml", config).parent for name in names]


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, bool]]:
    """What the trainer, whose place a function takes, was started for: the runs, and whether they were gone on with."""
    return fake_trainer(monkeypatch)


def fake_trainer(monkeypatch: pytest.MonkeyPatch, before: Trainer = lambda _: None) -> list[tuple[Path, bool]]:
    started = list[tuple[Path, bool]]()

    def trains(job: TrainerJob, *_: Any) -> TrainingProgress:
        started.append((job.run.path, job.resume))
        before(job)
        return finish(job.run)

    monkeypatch.setattr(train_command, "train_with_retries", trains)
    return started


def finish(run: RunFolder) -> TrainingProgress:
    """Leave what a training of two epochs leaves."""
    lora = run.lora("tok")
    lora.parent.mkdir(exist_ok=True)
    lora.write_bytes(b"weights")
    write_state_manifest(run.state_of_step(8), step=8, epoch=2)
    finished = Finished(steps=8, epochs=2, seconds=4.0, loras=("model/tok.safetensors",))
    with EventWriter(run.events) as events:
        events.write(StepDone(step=8, epoch=2, loss=0.1))
        events.write(LoraSaved(path="model/tok.safetensors", step=8, epoch=2))
        events.write(finished)
    return TrainingProgress(step=8, loras=("model/tok.safetensors",), finished=finished)


def listed(runs: list[Path], **options: Any) -> None:
    as_json = options.pop("as_json", False)
    train_several(runs, ListedOptions(**{"device": "cpu", **options}), as_json=as_json)


def test_all_are_trained_in_order_and_told_in_a_table(
    runs: list[Path], trained: list[tuple[Path, bool]], capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    listed(runs)

    assert trained == [(run, False) for run in runs]
    told = capsys.readouterr().out
    words = " ".join(told.split())
    turns = [words.index(f"Run {number} of 3: {run}") for number, run in enumerate(runs, 1)]
    assert turns == sorted(turns)
    rows = told[told.rindex("outcome") :].splitlines()[1:4]
    assert [row.split("  ")[0] for row in rows] == ["a b", "Füchse", "🦊"]
    assert all("trained" in row and " 8 " in row and "model/tok.safetensors" in row for row in rows)


@pytest.mark.parametrize(
    ("error", "code"),
    [(LoraError("no pictures"), 2), (TrainingStopped("no number"), 3), (TrainerBroke("ours"), 1), (OSError("gone"), 1)],
)
def test_a_failed_one_does_not_hold_the_others_up(
    runs: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, code: int
) -> None:
    def fails(job: TrainerJob) -> None:
        if job.run.path == runs[1]:
            raise error

    trained = fake_trainer(monkeypatch, fails)
    with pytest.raises(NotAllTrained, match=r"1 of 3 runs failed: .*Füchse") as ended:
        listed(runs)

    assert [run for run, _ in trained] == runs
    assert ended.value.exit_code == code
    told = capsys.readouterr()
    assert str(error) in told.err
    assert "failed" in told.out


def test_of_several_failures_the_worst_is_the_exit_code(runs: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    errors = {runs[0]: LoraError("wrong"), runs[1]: TrainingStopped("stopped"), runs[2]: LoraError("wrong")}

    def fails(job: TrainerJob) -> None:
        raise errors[job.run.path]

    fake_trainer(monkeypatch, fails)
    with pytest.raises(NotAllTrained) as ended:
        listed(runs)

    assert ended.value.exit_code == 3


def test_a_run_that_another_process_holds_is_told_and_left_alone(
    runs: list[Path], trained: list[tuple[Path, bool]], capsys: pytest.CaptureFixture[str]
) -> None:
    with writing(RunFolder(runs[0]), "another", print), pytest.raises(NotAllTrained) as ended:
        listed(runs)

    assert [run for run, _ in trained] == runs[1:]
    assert ended.value.exit_code == 2
    assert "is in use: another" in capsys.readouterr().err


def test_ctrl_c_ends_the_list_and_names_how_it_goes_on(
    runs: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(job: TrainerJob) -> None:
        if job.run.path == runs[1]:
            raise KeyboardInterrupt("Training was interrupted")

    trained = fake_trainer(monkeypatch, interrupted)
    with pytest.raises(KeyboardInterrupt, match="1 run of it was not begun") as ended:
        listed(runs)

    assert [run for run, _ in trained] == runs[:2]
    assert f'loracle train "{runs[1]}" "{runs[2]}" --resume' in str(ended.value)
    assert str(runs[0]) not in str(ended.value)
    out = capsys.readouterr().out
    assert "interrupted" in out
    assert "not begun" in out


def test_ctrl_c_while_the_best_epoch_is_looked_for_ends_the_list_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = make_config(tmp_path, sampling__prompts=("tok",), sampling__every_epochs=1)
    runs = [write_toml(tmp_path / name / "loracle.toml", config).parent for name in "ab"]
    trained = fake_trainer(monkeypatch)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt("Drawing was interrupted")

    monkeypatch.setattr("wizard.interview.drawing.evaluation.recommended", interrupted)
    with pytest.raises(KeyboardInterrupt):
        listed(runs)

    assert [run for run, _ in trained] == runs[:1]
    out = capsys.readouterr().out
    assert "trained" in out
    assert "not begun" in out


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_between_two_runs_end_the_list(
    runs: list[Path], trained: list[tuple[Path, bool]], number: signal.Signals
) -> None:
    def train(run: Path, *_: Any, **__: Any) -> RunOutcome:
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)  # within a second: the same request
        pytest.fail("went on")

    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt, match="2 runs of it were not begun"):
        train_several(runs, ListedOptions(device="cpu"), train=train)

    assert signal.getsignal(number) == before


def test_with_resume_finished_ones_are_told_and_begun_ones_gone_on_with(
    runs: list[Path], trained: list[tuple[Path, bool]], capsys: pytest.CaptureFixture[str]
) -> None:
    finish(RunFolder(runs[0]))
    write_state_manifest(RunFolder(runs[1]).state_of_step(4), step=4, epoch=1)
    listed(runs, resume=True)

    assert trained == [(runs[1], True), (runs[2], False)]
    told = capsys.readouterr()
    assert f"{runs[0]} has all its epochs already" in told.err.replace("\n", " ")
    assert "finished before" in told.out


def test_without_resume_begun_ones_are_refused_before_any_is_trained(
    runs: list[Path], trained: list[tuple[Path, bool]], tmp_path: Path
) -> None:
    for run in runs[1:]:
        write_state_manifest(RunFolder(run).state_of_step(4), step=4, epoch=1)
    with pytest.raises(LoraError) as refused:
        listed([*runs, tmp_path / "none"])

    assert trained == []
    assert str(refused.value).count("--resume` goes on with it") == 2
    assert "none does not exist" in str(refused.value)


def test_epochs_hold_for_all_and_leave_those_that_have_them(runs: list[Path], trained: list[tuple[Path, bool]]) -> None:
    finish(RunFolder(runs[0]))
    planned = runs[0] / "loracle.toml"
    planned.write_text(re.sub(r"(?m)^epochs = \d+", "epochs = 9", planned.read_text("utf-8")), "utf-8")
    assert RunFolder(runs[0]).read_config().schedule.epochs == 9
    toml = planned.read_text("utf-8")
    listed(runs, epochs=2)
    assert (runs[0] / "loracle.toml").read_text("utf-8") == toml
    listed(runs, epochs=5)

    assert trained == [(run, False) for run in runs[1:]] + [(run, True) for run in runs]
    assert [RunFolder(run).read_config().schedule.epochs for run in runs] == [5, 5, 5]


@pytest.mark.parametrize(("wanted", "told"), [(9, "! {} wanted 9 epochs; 5 were"), (1, "{} wanted 1 epoch; 5 were")])
def test_where_the_configuration_wants_another_number_of_epochs_that_is_told(
    runs: list[Path], trained: list[tuple[Path, bool]], capsys: pytest.CaptureFixture[str], wanted: int, told: str
) -> None:
    config = RunFolder(runs[0]).config
    config.write_text(re.sub(r"(?m)^epochs = \d+", f"epochs = {wanted}", config.read_text("utf-8")), "utf-8")
    listed(runs, epochs=5)

    lines = capsys.readouterr().err.replace("\n", " ")
    assert told.format(config) in lines
    assert (f"! {config}" in lines) == told.startswith("!")


def test_one_that_has_more_epochs_than_are_asked_for_is_left_as_it_is(
    runs: list[Path], trained: list[tuple[Path, bool]], capsys: pytest.CaptureFixture[str]
) -> None:
    write_state_manifest(RunFolder(runs[0]).state_of_step(4), step=4, epoch=1)
    listed(runs, epochs=1)

    assert trained == [(run, False) for run in runs[1:]]
    assert [RunFolder(run).read_config().schedule.epochs for run in runs] == [2, 1, 1]
    assert "finished before" in capsys.readouterr().out


@pytest.mark.parametrize(("seconds", "outcome"), [(-60, "finished_before"), (60, "trained")])
def test_a_training_that_ended_since_its_turn_came_is_not_begun_again_though_its_last_state_was_not_saved(
    runs: list[Path], trained: list[tuple[Path, bool]], seconds: float, outcome: str
) -> None:
    run = RunFolder(runs[0])
    finish(run)
    shutil.rmtree(run.state)
    options = ListedOptions(resume=True, device="cpu", begun_at=time.time() + seconds)
    found = train_listed(run.path, options, what="loracle queue", as_json=False)

    assert found.outcome == outcome
    assert len(trained) == (outcome == "trained")
    assert (found.steps, found.lora) == (8, run.lora("tok"))


def test_a_training_that_ended_since_its_turn_came_is_gone_on_with_where_more_epochs_are_wanted(
    runs: list[Path], trained: list[tuple[Path, bool]]
) -> None:
    run = RunFolder(runs[0])
    finish(run)
    options = ListedOptions(resume=True, epochs=5, device="cpu", begun_at=time.time() - 60)
    found = train_listed(run.path, options, what="loracle queue", as_json=False)

    assert (found.outcome, trained) == ("trained", [(run.path, True)])


@pytest.mark.parametrize("options", [{"epochs": 0}, {"device": "cuda"}], ids=str)
def test_options_that_cannot_be_are_refused_before_any_is_trained(
    runs: list[Path], trained: list[tuple[Path, bool]], options: dict[str, Any]
) -> None:
    with pytest.raises(LoraError, match=f"--{next(iter(options))}"):
        listed(runs, **options)

    assert trained == []


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_one_that_is_named_twice_also_through_a_link_is_trained_once(
    runs: list[Path], trained: list[tuple[Path, bool]], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(runs[0], target_is_directory=True)
    listed([runs[0], runs[1], tmp_path / "link", runs[1] / "loracle.toml"])

    assert [run for run, _ in trained] == runs[:2]
    told = " ".join(capsys.readouterr().err.split())
    assert f"{runs[0]} is named twice as {tmp_path / 'link'} too: it is trained once" in told
    assert f"{runs[1]} is named twice: it is trained once" in told


def test_two_configurations_of_one_run_are_refused(runs: list[Path], trained: list[tuple[Path, bool]]) -> None:
    other = runs[0] / "other.toml"
    other.write_bytes((runs[0] / "loracle.toml").read_bytes())
    with pytest.raises(RunError, match="are configurations of one run"):
        listed([runs[0], other])

    assert trained == []


def test_as_json_each_run_has_its_lines_and_the_last_is_a_summary(
    runs: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(job: TrainerJob) -> None:
        if job.run.path == runs[1]:
            raise LoraError("no pictures")

    fake_trainer(monkeypatch, fails)
    with pytest.raises(NotAllTrained):
        listed(runs, as_json=True)

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["event"], line.get("run")) for line in lines[:-1]] == [
        (event, str(run)) for run in runs for event in ("run_began", "run_ended")
    ]
    assert lines[1]["result"]["loras"] == ["model/tok.safetensors"]
    assert (lines[3]["outcome"], lines[3]["message"], lines[3]["exit_code"]) == ("failed", "no pictures", 2)
    assert lines[-1]["event"] == "summary"
    assert lines[-1]["exit_code"] == 2
    rows = [(row["outcome"], row["steps"]) for row in lines[-1]["runs"]]
    assert rows == [("trained", 8), ("failed", 0), ("trained", 8)]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
@pytest.mark.parametrize("is_real", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["miniature", "real"])
def test_ctrl_c_saves_the_run_at_hand_and_leaves_the_rest_untouched(tmp_path: Path, is_real: bool) -> None:
    config = make_config(tmp_path, schedule__epochs=500, schedule__name="constant")
    runs = [write_toml(tmp_path / name / "loracle.toml", config).parent for name in ("a", "b b")]
    environment = {**miniature_trainer.environment(), "OMP_NUM_THREADS": "1"}
    given = command(runs[0], str(runs[1])) if is_real else miniature_trainer.command("train", *runs)
    started = subprocess.Popen(given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        wait_for(lambda: started.poll() is not None or has_begun(runs[0], "step"), "a step")
        started.send_signal(signal.SIGINT)
        out, err = started.communicate(timeout=60)
    finally:
        started.kill()

    assert started.returncode == 130, out + err
    assert events_of(runs[0], "failed")[0]["code"] == "interrupted"
    assert RunFolder(runs[0]).has_state()
    assert [path.name for path in runs[1].iterdir()] == ["loracle.toml"]
    assert "not begun" in out
    assert f'"{runs[1]}" --resume' in err


def test_where_the_reader_of_the_output_has_gone_the_list_is_ended(
    runs: list[Path], trained: list[tuple[Path, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = several_command._tell_turn

    def tell_turn(path: Path, number: int, runs: int, *, as_json: bool) -> None:
        if number > 1:
            raise BrokenPipeError
        turn(path, number, runs, as_json=as_json)

    def tell_summary(*_: Any, **__: Any) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(several_command, "_tell_turn", tell_turn)
    monkeypatch.setattr(several_command, "tell_summary", tell_summary)

    with pytest.raises(KeyboardInterrupt, match="2 runs of it were not begun"):
        listed(runs)
    assert trained == [(runs[0], False)]

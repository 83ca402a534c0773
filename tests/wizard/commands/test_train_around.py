"""What `loracle train` does around the trainer, whose place a function takes here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from advisor.dataset.edits import PictureEdit
from advisor.errors import BrokenImages, LoraError, RunError
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import RunInUse, writing
from advisor.run_folder.pictures.edits_file import append_change
from advisor.run_folder.pictures.file_stamps import file_stamps
from advisor.run_folder.pictures.manifest import FileNotes, planned_lines, write_manifest_lines
from advisor.run_folder.pictures.run_dataset import run_dataset
from advisor.run_folder.state_manifest import Position
from advisor.settings.config import TrainingConfig
from tests.support.runs import make_config, write_toml
from tests.support.scripted import ScriptedAsk
from wizard.commands import train as command
from wizard.commands.train import train
from wizard.interview.go_on import GoingOn
from wizard.processes import before_training
from wizard.processes.before_training import broken_text
from wizard.processes.measured_pictures import measured_pictures
from wizard.processes.more_epochs import set_epochs
from wizard.processes.trainer_job import TrainerJob
from wizard.show.progress import TrainingProgress


def test_epochs_are_written_only_by_who_may_write_into_the_run(tmp_path: Path) -> None:
    config = write_toml(tmp_path / "run/loracle.toml", make_config(tmp_path))
    before = config.read_bytes()

    with writing(RunFolder(tmp_path / "run"), "another", print), pytest.raises(RunInUse, match="is in use: another"):
        train(tmp_path / "run", epochs=7, device="cpu")

    assert config.read_bytes() == before


def test_the_run_is_held_while_epochs_are_written_and_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(tmp_path / "run")
    write_toml(run.config, make_config(tmp_path, schedule__epochs=2))
    held = list[bool]()

    def edited(*given: Any) -> TrainingConfig:
        with pytest.raises(RunInUse), writing(run, "another", print):
            pass
        held.append(True)
        return set_epochs(*given)

    def trained(job: TrainerJob, *_: Any) -> TrainingProgress:
        assert job.run.read_config().schedule.epochs == 7
        return TrainingProgress()

    monkeypatch.setattr(command, "set_epochs", edited)
    monkeypatch.setattr(command, "train_with_retries", trained)
    train(run.path, epochs=7, device="cpu")

    assert held == [True]


BROKEN = BrokenImages.of(["a.png cannot be read as a picture"], "loracle train run --skip-broken")


@pytest.mark.parametrize("answer", ["yes", "no"])
def test_in_a_terminal_it_is_asked_whether_to_leave_broken_pictures_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str
) -> None:
    write_toml(tmp_path / "run/loracle.toml", make_config(tmp_path))
    asked, jobs = ScriptedAsk(answer), list[TrainerJob]()

    def trained(job: TrainerJob, *_: Any) -> TrainingProgress:
        jobs.append(job)
        if not job.skip_broken:
            raise BROKEN
        return TrainingProgress()

    monkeypatch.setattr(command, "is_terminal", lambda: True)
    monkeypatch.setattr("wizard.interview.ask.TerminalAsk", lambda: asked)
    monkeypatch.setattr(command, "train_with_retries", trained)
    if answer == "no":
        with pytest.raises(BrokenImages, match="Nothing was trained"):
            train(tmp_path / "run", device="cpu")
    else:
        train(tmp_path / "run", device="cpu")

    assert [job.skip_broken for job in jobs] == [False, True][: 1 + (answer == "yes")]
    (question,) = asked.asked
    assert (question.text, question.options[0].value) == ("Train without them?", "no")
    assert "a.png cannot be read as a picture" in capsys.readouterr().err


def test_without_a_terminal_nobody_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_toml(tmp_path / "run/loracle.toml", make_config(tmp_path))

    def trained(*_: Any) -> TrainingProgress:
        raise BROKEN

    monkeypatch.setattr(command, "train_with_retries", trained)

    with pytest.raises(BrokenImages, match="--skip-broken"):
        train(tmp_path / "run", device="cpu")


def test_pictures_that_changed_since_are_told_and_trained_or_asked_about_in_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, trained = RunFolder(tmp_path / "run"), list[TrainerJob]()
    config = make_config(tmp_path)
    write_toml(run.config, config)
    data = run_dataset(run)
    stamps = file_stamps(Path(data.files.root), None, ".txt")
    write_manifest_lines(run, planned_lines(data.report, FileNotes.of(data, stamps)))

    def fake(job: TrainerJob, *_: object) -> TrainingProgress:
        trained.append(job)
        return TrainingProgress()

    monkeypatch.setattr(command, "train_with_retries", fake)
    train(run.path, device="cpu")
    assert "Since the plan" not in capsys.readouterr().err
    (tmp_path / "pictures" / "picture-001.txt").write_text("tok, changed")
    train(run.path, device="cpu")
    assert "! Since the plan was made: 1 caption file changed, of picture-001.png" in capsys.readouterr().err
    monkeypatch.setattr(command, "is_terminal", lambda: True)
    monkeypatch.setattr("wizard.interview.ask.TerminalAsk", lambda: ScriptedAsk("no"))
    with pytest.raises(LoraError, match="Nothing was trained"):
        train(run.path, device="cpu")

    assert len(trained) == 2


def test_what_the_users_edits_do_is_told_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = RunFolder(tmp_path / "run")
    write_toml(run.config, make_config(tmp_path))
    first, second, third = ((tmp_path / "pictures" / f"picture-00{one}.png").as_posix() for one in (1, 2, 3))
    edits = [
        PictureEdit(first, caption="tok, smile"),
        PictureEdit(second, crop=(0, 0, 96, 96)),
        PictureEdit(third, excluded="blurred"),
    ]
    append_change(run, "three", edits)
    monkeypatch.setattr(command, "train_with_retries", lambda *_: TrainingProgress())

    train(run.path, device="cpu")
    assert "Your edits of this run: 1 caption, 1 crop, 1 picture left out (picture-003.png)" in capsys.readouterr().err


def never_trained(*_: Any) -> TrainingProgress:
    raise AssertionError("the trainer was started")


def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epoch: int) -> RunFolder:
    """A run of two epochs with its LoRA and a state."""
    run = RunFolder(tmp_path / "run")
    write_toml(run.config, make_config(tmp_path, schedule__epochs=2))
    lora = run.lora(run.read_config().saving.name)
    lora.parent.mkdir(parents=True, exist_ok=True)
    lora.write_bytes(b"lora")
    monkeypatch.setattr(before_training, "newest_position", lambda _: Position(epoch * 10, epoch, 0))
    monkeypatch.setattr(RunFolder, "has_state", lambda _: True)
    monkeypatch.setattr(command, "train_with_retries", never_trained)
    return run


def test_no_epochs_are_written_into_a_run_that_took_the_place_of_this_one_while_it_was_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, other = begun(tmp_path, monkeypatch, 2), tmp_path / "other"
    write_toml(other / "loracle.toml", make_config(tmp_path, schedule__epochs=2, run__seed=9))
    content = (other / "loracle.toml").read_bytes()

    def exchanged(*_: object) -> GoingOn:
        run.path.rename(tmp_path / "before")
        other.rename(run.path)
        return GoingOn(epochs=4)

    monkeypatch.setattr(command, "is_terminal", lambda: True)
    monkeypatch.setattr(command, "asked_to_go_on", exchanged)
    with pytest.raises(RunError, match="no longer the folder that this began in"):
        train(run.path, device="cpu")

    assert run.config.read_bytes() == content


def test_a_run_that_was_begun_is_refused_before_anything_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = begun(tmp_path, monkeypatch, epoch=1)
    monkeypatch.setattr(command, "tell_pictures", never_trained)

    with pytest.raises(RunError, match=r"was begun: `loracle train .* --resume` goes on"):
        train(run.path, device="cpu")

    assert "Starting" not in capsys.readouterr().err


SAVED = {"event": "saved", "path": "model/mia.safetensors", "step": 20}
FINISHED = {"event": "finished", "steps": 20, "seconds": 8.0}


def write_events(run: RunFolder, *events: dict[str, object]) -> None:
    run.events.parent.mkdir(exist_ok=True)
    run.events.write_text("".join(json.dumps({"t": 1.0, **event}) + "\n" for event in events), encoding="utf-8")


def test_a_finished_run_says_at_once_how_it_is_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = begun(tmp_path, monkeypatch, epoch=2)
    write_events(run, SAVED, FINISHED)

    train(run.path, resume=True, device="cpu")

    told = capsys.readouterr().err
    assert "All 2 epochs are trained already" in told
    assert "--epochs 3` or more trains on" in told


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(
    "events", [(), (SAVED,), (SAVED, FINISHED, {"event": "started", "resumed_from": 20})],
    ids=["events lost", "killed while the LoRA was checked", "killed while it was checked again"],
)  # fmt: skip
def test_a_run_that_was_killed_before_its_end_is_brought_to_it_by_a_trainer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, events: tuple[dict[str, object], ...], as_json: bool
) -> None:
    run = begun(tmp_path, monkeypatch, epoch=2)
    write_events(run, *events)
    monkeypatch.setattr(command, "tell_pictures", lambda *_, **__: None)

    with pytest.raises(AssertionError, match="the trainer was started"):
        train(run.path, resume=True, as_json=as_json, device="cpu")


def test_a_finished_run_gives_its_document_without_a_trainer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = begun(tmp_path, monkeypatch, epoch=2)
    write_events(run, SAVED, FINISHED)

    train(run.path, resume=True, as_json=True, device="cpu")

    document = json.loads(capsys.readouterr().out)
    assert document["steps"] == 20
    assert document["use"] == "model/mia.safetensors"


def test_pictures_known_to_be_broken_stop_a_training_before_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LORACLE_DATA", str(tmp_path / "data"))
    run = RunFolder(tmp_path / "run")
    write_toml(run.config, make_config(tmp_path))
    monkeypatch.setattr(command, "train_with_retries", never_trained)
    data = run_dataset(run)
    picture = data.report.image_files[1]
    whole = Path(data.report.path_of(picture)).read_bytes()
    Path(data.report.path_of(picture)).write_bytes(whole[: len(whole) // 2])
    report = run_dataset(run).report
    measured_pictures(report, lambda *_: None)

    with pytest.raises(BrokenImages) as refused:
        train(run.path, device="cpu")

    assert "1 picture cannot be used:" in str(refused.value)
    assert f"{picture.path} cannot be decoded" in str(refused.value)
    assert "Or leave it out: `loracle train" in str(refused.value)
    assert f"1 picture cannot be decoded ({picture.path}): replace it, or leave it out with" in broken_text(
        report, run.path
    )

"""`loracle status` and `loracle runs`: looked at from beside, whoever works on a run."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from advisor.errors import RunError
from advisor.run_folder.events import AnyEvent, Finished, LoraSaved, PhaseBegun, Started, StepDone, WarningGiven
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import writing
from tests.support.fake_trainer import SilentScreen, run_folder
from wizard.commands import status as status_module
from wizard.commands.runs import runs
from wizard.commands.status import follow, status
from wizard.processes.run_status import read_status
from wizard.processes.run_store import RunStore

BEGUN = (Started(), PhaseBegun(name="train", total=9, epochs=3), StepDone(step=4, epoch=2, seconds=1.0))


def with_events(folder: Path, *events: AnyEvent) -> RunFolder:
    run = RunFolder(run_folder(folder))
    with run.event_writer() as file:
        for event in events:
            file.write(event)
    return run


def contents(run: RunFolder) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}


def test_a_running_one_is_told_as_json_without_a_lock_or_a_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = with_events(tmp_path, *BEGUN)
    with writing(run, "loracle train", print):
        before = contents(run)
        status(run.path, as_json=True)
        assert contents(run) == before

    found = json.loads(capsys.readouterr().out)
    assert (found["state"], found["step"], found["steps"], found["epoch"], found["epochs"]) == ("training", 4, 9, 2, 3)
    assert found["holder"]["pid"] == os.getpid()


def test_a_dead_one_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = with_events(tmp_path, *BEGUN)
    status(run.path / "loracle.toml")

    assert "ended without a word" in " ".join(capsys.readouterr().out.split())


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"loracle\.toml"):
        status(tmp_path)


def test_a_running_one_is_followed_until_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_module, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(status_module, "LOOK_SECONDS", 0.05)
    run, screen = with_events(tmp_path, *BEGUN), SilentScreen()
    may_end = threading.Event()

    def train() -> None:
        with writing(run, "loracle train", print), run.event_writer() as file:
            held.set()
            may_begin.wait(10)
            file.write(StepDone(step=5, epoch=2, seconds=1.0))
            file.write(LoraSaved(path="model/tok-000002.safetensors", step=5, epoch=2))
            file.write(WarningGiven(code="x", message="look out"))
            may_end.wait(10)
            file.write(Finished(steps=9, epochs=3))

    held, may_begin = threading.Event(), threading.Event()
    trainer = threading.Thread(target=train)
    trainer.start()
    held.wait(10)
    found, tail = read_status(run), run.new_events()
    may_begin.set()
    ending = _when(lambda: len(screen.notes) == 2, may_end)

    ended = follow(found, tail, screen)

    trainer.join()
    ending.join()
    assert ended.state.activity == "finished"
    assert screen.notes == ["Saved model/tok-000002.safetensors", "! look out"]
    assert screen.shown[0].step == 4
    assert max(shown.step for shown in screen.shown) == 5
    assert screen.is_closed


def _when(true: Callable[[], bool], then: threading.Event) -> threading.Thread:
    def wait() -> None:
        while not true():
            then.wait(0.01)
        then.set()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def listed(capsys: pytest.CaptureFixture[str], folder: Path | None = None) -> dict[str, str]:
    runs(folder, as_json=True)
    return {one["path"]: one["state"] for one in json.loads(capsys.readouterr().out)["runs"]}


def test_runs_here_and_runs_used_before_are_listed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LORACLE_DATA", str(tmp_path / "data"))
    here, elsewhere = with_events(tmp_path / "a", *BEGUN), with_events(tmp_path / "b", *BEGUN, Finished(steps=9))
    monkeypatch.chdir(tmp_path / "a")
    for run in (here, elsewhere):
        RunStore().remember(run.path)
    RunStore().remember(tmp_path / "gone")

    assert listed(capsys) == {str(here.path): "died", str(elsewhere.path): "finished"}
    assert listed(capsys, tmp_path / "b") == {str(elsewhere.path): "finished"}


def test_where_there_are_none_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LORACLE_DATA", str(tmp_path / "data"))
    runs(tmp_path)

    assert "There are no runs in" in capsys.readouterr().out


def test_a_file_is_no_folder_of_runs(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(RunError, match="is no folder"):
        runs(tmp_path / "file")


def test_no_figure_of_a_stranger_s_events_makes_the_list_unreadable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = with_events(tmp_path, Started())
    with run.events.open("a") as file:
        for loss in ("1e308", "-1.7e308"):
            file.write(f'{{"event": "step", "step": 1, "loss": {loss}, "seconds": 1.7e308}}\n')
    with writing(run, "loracle train", print):
        runs(tmp_path, as_json=True)
        (found,) = json.loads(capsys.readouterr().out)["runs"]
        status(run.path, once=True)

    assert (found["loss"], found["seconds_per_step"]) == (None, None)


def test_a_figure_that_nobody_measured_is_shown_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = with_events(tmp_path, PhaseBegun(name="train", total=2**53), StepDone(step=1, seconds=1e99))
    with writing(run, "loracle train", print):
        status(run.path, once=True)

    assert "more than 100 years left" in " ".join(capsys.readouterr().out.split())

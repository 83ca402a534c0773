"""`loracle sweep`: runs with other values of some settings, trained by the queue and compared."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from advisor.errors import LoraError
from advisor.run_folder.layout import RunFolder
from tests.support.pictures import make_pictures
from tests.support.runs import make_config
from tests.support.states import write_state_manifest
from wizard.cli import main
from wizard.commands import sweep as sweep_command
from wizard.commands import train as train_command
from wizard.commands.plan import plan
from wizard.interview.request import PlanRequest
from wizard.processes import side_by_side
from wizard.processes.cluster_sweep import ClusterSweep
from wizard.processes.queue_store import QueueStore
from wizard.processes.queue_worker import only_worker
from wizard.processes.trainer_job import TrainerJob
from wizard.show.list_summary import RunOutcome
from wizard.show.progress import TrainingProgress

Loracle = Callable[..., tuple[int, str, str]]
VARY = ("--vary", "network.rank=4,8", "--vary", "optimizer.learning_rate=1e-4,5e-5")
NAMES = [f"tok-rank{rank}-learning_rate{rate}" for rank in (4, 8) for rate in ("1e-4", "5e-5")]


@pytest.fixture
def loracle(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Loracle:
    """Runs a command line here: exit code, stdout, stderr."""
    monkeypatch.setenv("LORACLE_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        code = 0
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture(scope="module")
def planned_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planned")
    make_config(folder)
    request = PlanRequest(
        images=str(folder / "pictures"),
        model=str(folder / "tiny-sd1.safetensors"),
        name="tok",
        settings=("schedule.epochs=2",),
    )
    plan(request, out=folder / "tok", as_json=True)
    return folder / "tok"


@pytest.fixture
def planned(planned_once: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A planned run of a tiny model."""
    capsys.readouterr()
    shutil.copytree(planned_once, tmp_path / "tok")
    return tmp_path / "tok"


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[TrainerJob]:
    """What the trainer, whose place a function takes, was started for."""
    return fake_trainer(monkeypatch)


def fake_trainer(monkeypatch: pytest.MonkeyPatch, failing: str = "") -> list[TrainerJob]:
    jobs = list[TrainerJob]()

    def trains(job: TrainerJob, *_: Any) -> TrainingProgress:
        jobs.append(job)
        if job.run.path.name == failing:
            raise LoraError("no pictures")
        name = job.run.read_config().saving.name
        job.run.lora(name).parent.mkdir()
        job.run.lora(name).write_bytes(b"weights")
        entry = job.run.cache("latents") / "aa" / "aa1.safetensors"
        if not entry.exists():
            entry.parent.mkdir(parents=True)
            entry.write_bytes(b"encoded")
        write_state_manifest(job.run.state_of_step(8), step=8, epoch=2)
        return TrainingProgress(step=8, loras=(f"model/{name}.safetensors",))

    monkeypatch.setattr(train_command, "train_with_retries", trains)
    monkeypatch.setattr(train_command, "_write_records", lambda *_, **__: None)
    return jobs


def test_each_combination_is_a_run_that_is_trained_and_all_are_compared(
    planned: Path, trained: list[TrainerJob], loracle: Loracle
) -> None:
    code, out, err = loracle("sweep", planned, *VARY, "--device", "cpu")
    home = planned.with_name("tok-sweep")

    assert code == 0, err
    assert [job.run.path for job in trained] == [home / name for name in NAMES]
    config = RunFolder(home / NAMES[1]).read_config()
    assert (config.network.rank, config.optimizer.learning_rate, config.saving.name) == (4, 5e-5, NAMES[1])
    assert config.schedule.epochs == 2
    assert config.run.trigger == "tok"
    assert (home / "comparison.html").exists()
    assert {entry.state for entry in QueueStore().entries()} == {"trained"}
    assert "4 trials in" in out


def test_what_one_trial_has_encoded_the_others_use(planned: Path, trained: list[TrainerJob], loracle: Loracle) -> None:
    loracle("sweep", planned, *VARY, "--trials", 2)
    entries = [job.run.cache("latents") / "aa" / "aa1.safetensors" for job in trained]

    assert len(entries) == 2
    assert all(entry.samefile(entries[0]) for entry in entries)


def test_what_the_run_itself_has_encoded_they_use_too(
    planned: Path, trained: list[TrainerJob], loracle: Loracle
) -> None:
    entry = RunFolder(planned).cache("latents") / "aa" / "aa1.safetensors"
    entry.parent.mkdir(parents=True)
    entry.write_bytes(b"encoded")
    loracle("sweep", planned, *VARY, "--trials", 2)

    assert all((job.run.cache("latents") / "aa" / "aa1.safetensors").samefile(entry) for job in trained)


def test_the_same_command_again_trains_what_is_not_trained(
    planned: Path, monkeypatch: pytest.MonkeyPatch, loracle: Loracle
) -> None:
    jobs = fake_trainer(monkeypatch, failing=NAMES[2])
    code, _, err = loracle("sweep", planned, *VARY)
    assert (code, "1 of 4 runs failed" in err) == (2, True)
    assert len(jobs) == 4
    again = fake_trainer(monkeypatch)
    code, out, err = loracle("sweep", planned, *VARY, "--json")

    assert code == 0, err
    assert [job.run.path.name for job in again] == [NAMES[2]]
    document = json.loads(out)
    assert [(Path(one["run"]).name, one["outcome"]) for one in document["trials"]] == [
        (name, "trained" if name == NAMES[2] else None) for name in NAMES
    ]
    assert document["trials"][1]["settings"] == {"network.rank": 4, "optimizer.learning_rate": 5e-5}
    assert document["comparison"] == str(planned.with_name("tok-sweep") / "comparison.html")


def test_several_trials_are_trained_at_the_same_time_with_what_the_first_of_them_encodes(
    planned: Path, trained: list[TrainerJob], loracle: Loracle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_by_side, "LOOK_SECONDS", 0.02)
    code, out, err = loracle("sweep", planned, *VARY, "--device", "cpu", "--processes", 3, "--json")

    assert code == 0, err
    assert trained[0].run.path.name == NAMES[0]
    assert sorted(job.run.path.name for job in trained) == sorted(NAMES)
    assert {job.sharing for job in trained} == {3}
    entries = [job.run.cache("latents") / "aa" / "aa1.safetensors" for job in trained]
    assert all(entry.samefile(entries[0]) for entry in entries)
    assert [one["outcome"] for one in json.loads(out)["trials"]] == ["trained"] * 4


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--processes", 2, "--add-only"), "with --add-only nothing is trained here"),
        (("--gpus", "all", "--device", "cpu"), "this trains on the processor"),
    ],
    ids=["add-only", "device"],
)
def test_what_trains_trials_at_the_same_time_is_refused_where_it_cannot_be_meant(
    planned: Path, trained: list[TrainerJob], loracle: Loracle, options: tuple[object, ...], told: str
) -> None:
    code, _, err = loracle("sweep", planned, *VARY, *options)

    assert (code, told in err) == (2, True)
    assert QueueStore().entries() == []
    assert not planned.with_name("tok-sweep").exists()


def test_they_are_only_added_where_that_is_asked_or_somebody_works_on_the_queue(
    planned: Path, trained: list[TrainerJob], loracle: Loracle
) -> None:
    code, _, err = loracle("sweep", planned, *VARY, "--trials", 2, "--out", "else", "--add-only")
    assert (code, "Train with: loracle queue start" in err, "Compare then with: loracle report" in err) == (
        0,
        True,
        True,
    )
    with only_worker():
        code, _, err = loracle("sweep", planned, "--vary", "network.rank=2")

    assert (code, "The queue is worked on by process" in err) == (0, True)
    assert trained == []
    assert len(QueueStore().open_entries()) == 3
    assert all(entry.path.parent.name in ("else", "tok-sweep") for entry in QueueStore().open_entries())


def test_nothing_is_written_where_one_cannot_be_planned(
    planned: Path, trained: list[TrainerJob], loracle: Loracle
) -> None:
    code, _, err = loracle("sweep", planned, "--vary", "dataset.resolution_px=512,500")

    assert (code, "500" in err) == (2, True)
    assert not planned.with_name("tok-sweep").exists()
    assert QueueStore().entries() == []


def test_a_folder_that_holds_another_plan_is_not_taken(
    planned: Path, trained: list[TrainerJob], loracle: Loracle
) -> None:
    assert loracle("sweep", planned, "--vary", "network.rank=4,8", "--add-only")[0] == 0
    config = planned.with_name("tok-sweep") / "tok-rank8" / "loracle.toml"
    text = config.read_text("utf-8")
    config.write_text(text.replace("rank = 8", "rank = 9", 1), "utf-8")
    code, _, err = loracle("sweep", planned, "--vary", "network.rank=4,8")

    assert (code, "is there and has another network.rank" in err) == (2, True)
    assert trained == []


def test_trials_that_lack_what_was_changed_in_the_run_since_are_told(
    planned: Path, trained: list[TrainerJob], loracle: Loracle
) -> None:
    sweep = ("sweep", planned, "--vary", "network.rank=4,8", "--add-only")
    assert "stays as it was planned" not in "".join(loracle(*sweep)[1:])
    loracle("pictures", planned, "leave-out", "picture-003.png", "--reason", "bad")
    config = planned / "loracle.toml"
    config.write_text(
        re.sub(r"(?m)^learning_rate = [^ \n]+", "learning_rate = 0.0007", config.read_text("utf-8")), "utf-8"
    )
    code, _, err = loracle(*sweep)

    assert code == 0, err
    for name in ("tok-rank4", "tok-rank8"):
        told = "stays as it was planned, though the edits of pictures, dataset.repeats, "
        assert f"! {planned.with_name('tok-sweep') / name} {told}" in err


def test_the_configuration_that_is_named_is_swept(planned: Path, trained: list[TrainerJob], loracle: Loracle) -> None:
    text = (planned / "loracle.toml").read_text("utf-8")
    (planned / "other.toml").write_text(re.sub(r"(?m)^alpha = [^ \n]+", "alpha = 3.0", text), "utf-8")
    code, _, err = loracle("sweep", planned / "other.toml", "--vary", "network.dropout=0.1", "--add-only")

    assert code == 0, err
    config = RunFolder(planned.with_name("tok-sweep") / "tok-dropout0.1").read_config()
    assert (config.network.dropout, config.network.alpha) == (0.1, 3.0)


def test_the_trials_of_another_run_are_not_taken(planned: Path, trained: list[TrainerJob], loracle: Loracle) -> None:
    vary = ("--vary", "network.rank=4", "--out", "trials", "--add-only")
    assert loracle("sweep", planned, *vary)[0] == 0
    other = planned.parent / "else" / "tok"
    make_pictures(planned.parent / "others", 3, captions="tok, other")
    model = RunFolder(planned).read_config().model.path
    loracle("plan", "--images", planned.parent / "others", "--model", model, "--name", "tok", "--out", other)
    code, _, err = loracle("sweep", other, *vary)

    assert code == 2
    assert "is there and has another dataset.images: choose another folder with --out" in " ".join(err.split())


def test_what_the_user_put_in_the_way_of_a_trial_or_of_the_page_stays(
    planned: Path, trained: list[TrainerJob], loracle: Loracle
) -> None:
    home = planned.with_name("tok-sweep")
    (home / "tok-rank4").mkdir(parents=True)
    (home / "tok-rank4" / "mine.txt").write_text("mine", "utf-8")
    code, _, err = loracle("sweep", planned, "--vary", "network.rank=4")
    assert (code, "--overwrite" in err) == (2, False)
    assert "Nothing was written there: choose another folder with --out, or move it away" in " ".join(err.split())
    assert [path.name for path in (home / "tok-rank4").iterdir()] == ["mine.txt"]

    (home / "comparison.html").write_text("mine", "utf-8")
    code, _, err = loracle("sweep", planned, "--vary", "network.rank=8")
    assert (code, "They are not compared" in err, (home / "comparison.html").read_text("utf-8")) == (0, True, "mine")
    assert re.search(r"`loracle report \S*tok-rank8\S* --out \S*comparison\.html\S* --overwrite` takes its place", err)


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        (("--stop-early",), "--stop-early"),
        (("--cluster", "10.0.0.1:6379", "--add-only"), "--add-only"),
        (("--cluster", "10.0.0.1:6379", "--processes", 2), "--cluster"),
    ],
)
def test_what_cannot_be_meant_together_on_a_cluster_is_refused(
    planned: Path, loracle: Loracle, options: tuple[object, ...], wrong: str
) -> None:
    code, _, err = loracle("sweep", planned, *VARY, "--device", "cpu", *options)

    assert code == 2
    assert wrong in err
    assert not planned.with_name("tok-sweep").exists()


def test_a_cluster_trains_what_is_left_and_all_are_compared(
    planned: Path, trained: list[TrainerJob], loracle: Loracle, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = planned.with_name("tok-sweep")
    given = list[ClusterSweep]()

    def trains(sweep: ClusterSweep, _: object) -> list[RunOutcome]:
        given.append(sweep)
        for run in sweep.runs:
            folder = RunFolder(run)
            folder.lora(run.name).parent.mkdir()
            folder.lora(run.name).write_bytes(b"weights")
            write_state_manifest(folder.state_of_step(8), step=8, epoch=2)
        return [RunOutcome(run, "trained", steps=8) for run in sweep.runs]

    monkeypatch.setattr(sweep_command, "train_on_cluster", trains)
    first, out, err = loracle("sweep", planned, *VARY, "--device", "cpu", "--cluster", "10.0.0.1:6379", "--stop-early")
    again, _, _ = loracle("sweep", planned, *VARY, "--device", "cpu", "--cluster", "10.0.0.1:6379")

    assert (first, again) == (0, 0), err
    assert len(given) == 1
    assert given[0].runs == tuple(home / name for name in NAMES)
    assert (given[0].address, given[0].epochs, given[0].rungs, given[0].on_cards) == ("10.0.0.1:6379", 2, (1,), False)
    assert RunFolder(home / NAMES[0]).read_config().machine.gpu_uuid == ""
    assert (home / "comparison.html").exists()
    assert trained == []
    assert QueueStore().entries() == []
    assert "4 of them to be trained by 10.0.0.1:6379" in " ".join(out.split())

"""`loracle queue`: a list of runs that outlives the terminal, and the worker that trains them."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from advisor.errors import LoraError, TrainingStopped
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import RunInUse, writing
from tests.support import miniature_trainer
from tests.support.killed import assert_one_trained_at_a_time, command_in_a_terminal, has_begun, wait_for
from tests.support.miniature_trainer import STEPS
from tests.support.runs import events_of, make_config, write_toml
from tests.support.states import write_state_manifest
from wizard.cli import main
from wizard.commands import queue_start, queue_turn
from wizard.commands.queue_start import QueueWorker
from wizard.commands.queue_turn import QueueTurns
from wizard.commands.train_listed import ListedOptions
from wizard.commands.train_several import NotAllTrained
from wizard.processes import queue_worker
from wizard.processes.launch import TrainerCrashed
from wizard.processes.list_ending import ending_interrupts
from wizard.processes.queue_store import QueueStore
from wizard.processes.queue_worker import WorkerRuns, only_worker, worker_at_work
from wizard.show.list_summary import RunOutcome
from wizard.show.queue_view import QueueOptions

Train = Callable[[Path], None]
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's data folder."""
    monkeypatch.setenv("LORACLE_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


@pytest.fixture
def runs(tmp_path: Path, data: Path) -> list[Path]:
    """Three planned runs, with names that names can have."""
    config = make_config(tmp_path)
    names = ("a b", "Füchse", "🦊")
    return [write_toml(tmp_path / name / "loracle.toml", config).parent for name in names]


@pytest.fixture
def queued(runs: list[Path], data: Path) -> QueueStore:
    """With these runs."""
    store = QueueStore()
    for run in runs:
        store.add(run, QueueOptions(device="cpu"))
    return store


def loracle(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = 0
    try:
        main(["queue", *map(str, arguments)])
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0
    out, err = capsys.readouterr()
    return code, out, err


def states(store: QueueStore) -> list[tuple[str, str]]:
    return [(entry.path.name, entry.state) for entry in store.entries()]


class FakeTraining:
    """Trains nothing, and remembers what it was asked to train."""

    def __init__(self, before: Train = lambda _: None) -> None:
        self.before = before
        self.trained: list[Path] = []
        self.options: list[ListedOptions] = []

    def __call__(self, run: Path, options: ListedOptions, *, what: str, as_json: bool) -> RunOutcome:
        assert (what, as_json, options.resume) == ("loracle queue", False, True)
        self.trained.append(run)
        self.options.append(options)
        self.before(run)
        return RunOutcome(run, "trained", steps=8, lora=run / "model" / "tok.safetensors")


def worked(store: QueueStore, train: FakeTraining) -> QueueWorker:
    worker = QueueWorker(QueueTurns(store, train=train))
    with ending_interrupts():  # as the command has it, also where Ctrl-C is ignored, as in a shell's background
        worker.work()
    return worker


# --- The list


def test_runs_are_added_shown_moved_and_removed(runs: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert loracle(capsys, "add", *runs)[0] == 0
    assert loracle(capsys, "move", runs[2], "first")[0] == 0
    assert loracle(capsys, "move", "1", "last")[0] == 0
    assert loracle(capsys, "remove", "Füchse")[0] == 0
    code, out, _ = loracle(capsys, "list")

    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()[:2]] == [["3", "waiting"], ["1", "waiting"]]
    assert all((run / "loracle.toml").exists() for run in runs)


def test_without_an_action_it_is_the_list(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "The queue is empty" in loracle(capsys)[1]


def test_the_list_as_json(runs: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    loracle(capsys, "add", runs[2], "--epochs", 9, "--skip-broken", "--device", "cpu")
    document = json.loads(loracle(capsys, "list", "--json")[1])

    (entry,) = document["entries"]
    assert document["worker"] is None
    assert 0 <= time.time() - entry.pop("added") < 60
    assert entry == {
        "number": 1, "path": str(runs[2]), "state": "waiting", "epochs": 9, "skip_broken": True, "device": "cpu",
        "began": None, "ended": None, "message": "", "steps": 0, "lora": None, "card": "",
    }  # fmt: skip


def test_what_is_wrong_is_told_at_once_and_then_nothing_is_added(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (runs[1] / "loracle.toml").write_text("[schedule]\nepochs = -1\n", "utf-8")
    code, _, err = loracle(capsys, "add", runs[0], runs[1], tmp_path / "none", "--device", "cuda")

    assert code == 2
    assert "none does not exist" in err
    assert "schedule.epochs" in err
    assert "--device" in err
    assert QueueStore().entries() == []


def test_a_finished_run_is_added_only_for_more_epochs(runs: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    run = RunFolder(runs[0])
    write_state_manifest(run.state_of_step(8), step=8, epoch=2)
    run.lora("tok").parent.mkdir()
    run.lora("tok").write_bytes(b"")

    code, _, err = loracle(capsys, "add", runs[0])
    assert (code, "All 2 epochs are trained already" in err) == (2, True)
    assert loracle(capsys, "add", runs[0], "--epochs", 2)[0] == 2
    assert loracle(capsys, "add", runs[0], "--epochs", 3)[0] == 0


def test_one_that_is_trained_is_neither_removed_nor_moved(
    queued: QueueStore, runs: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    queued.take()
    with only_worker():
        removed, moved = loracle(capsys, "remove", runs[0]), loracle(capsys, "move", runs[0], "last")
        assert loracle(capsys, "move", runs[2], "first")[0] == 0
        shown = loracle(capsys)[1]

    assert (removed[0], moved[0]) == (2, 2)
    assert "queue stop` ends that first" in removed[2]
    assert [line.split()[:2] for line in shown.splitlines()[:3]] == [
        ["1", "training"],
        ["3", "waiting"],
        ["2", "waiting"],
    ]
    assert loracle(capsys, "remove", runs[0])[0] == 0  # once its worker is gone


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("remove", "x"), "x is not in the queue"),
        (("remove",), "Name runs, or their numbers"),
        (("move", "1", "0"), "'0' is no place"),
        (("move", "1", "up"), "'up' is no place"),
        (("move", "7", "1"), "7 is not in the queue"),
    ],
)
def test_what_is_not_there_is_told(
    queued: QueueStore, capsys: pytest.CaptureFixture[str], given: tuple[str, ...], told: str
) -> None:
    code, _, err = loracle(capsys, *given)

    assert (code, told in err) == (2, True)
    assert len(queued.open_entries()) == 3


def test_those_that_have_ended_are_removed_together(queued: QueueStore, capsys: pytest.CaptureFixture[str]) -> None:
    queued.end(1, "trained")
    queued.end(2, "gone")
    loracle(capsys, "remove", "--ended")

    assert states(queued) == [("🦊", "waiting")]


# --- The worker


def test_all_are_trained_in_order_with_their_options(queued: QueueStore, runs: list[Path]) -> None:
    train = FakeTraining()
    worker = worked(queued, train)

    assert train.trained == runs
    assert {options.device for options in train.options} == {"cpu"}
    assert all(options.begun_at is not None for options in train.options)
    assert states(queued) == [(run.name, "trained") for run in runs]
    assert not worker.was_ended
    assert worker_at_work() is None


def test_a_failed_one_and_one_that_is_gone_are_told_and_passed_over(
    queued: QueueStore, runs: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(run: Path) -> None:
        raise TrainingStopped("no number")

    shutil.move(runs[0], runs[0].with_name("elsewhere"))
    worker = worked(queued, FakeTraining(lambda run: fails(run) if run == runs[1] else None))

    assert states(queued) == [("a b", "gone"), ("Füchse", "failed"), ("🦊", "trained")]
    assert [one.exit_code for one in worker.outcomes] == [2, 3, 0]
    told = " ".join(capsys.readouterr().err.split())
    assert f"{runs[0]} is gone: it was moved or deleted" in told
    assert "no number" in told
    assert queued.entries()[1].message == "no number"


def test_one_that_was_added_meanwhile_is_trained_too(queued: QueueStore, runs: list[Path], tmp_path: Path) -> None:
    later = write_toml(tmp_path / "later" / "loracle.toml", make_config(tmp_path)).parent

    def adds(run: Path) -> None:
        if run == runs[2]:
            QueueStore().add(later, QueueOptions())

    train = FakeTraining(adds)
    worked(queued, train)

    assert train.trained == [*runs, later]


def test_one_that_comes_as_the_worker_ends_is_not_left_waiting(
    queued: QueueStore, runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = write_toml(tmp_path / "later" / "loracle.toml", make_config(tmp_path)).parent
    takes = list[bool]()
    take = queued.take

    def taking() -> Any:
        found = take()
        if found is None and not takes:
            takes.append(True)
            QueueStore().add(later, QueueOptions())
        return found

    monkeypatch.setattr(queued, "take", taking)
    train = FakeTraining()
    worked(queued, train)

    assert train.trained[-1] == later


def test_ctrl_c_leaves_the_run_at_its_place(queued: QueueStore, runs: list[Path]) -> None:
    def interrupted(run: Path) -> None:
        raise KeyboardInterrupt("Training was interrupted")

    worker = worked(queued, FakeTraining(lambda run: interrupted(run) if run == runs[1] else None))

    assert worker.was_ended
    assert states(queued) == [("a b", "trained"), ("Füchse", "waiting"), ("🦊", "waiting")]
    train = FakeTraining()
    worked(queued, train)
    assert train.trained == runs[1:]


def test_a_trainer_that_crashed_is_started_again_from_where_it_came(
    queued: QueueStore, runs: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    starts = list[Path]()

    def crashes(run: Path) -> None:
        starts.append(run)
        number = starts.count(runs[0])
        if run == runs[0] and number <= 4:
            write_state_manifest(RunFolder(run).state_of_step(number), step=number, epoch=number)
            raise TrainerCrashed("The system ended the training (SIGKILL)")

    worked(queued, FakeTraining(crashes))

    assert starts == [runs[0]] * 5 + runs[1:]
    assert {state for _, state in states(queued)} == {"trained"}
    assert capsys.readouterr().err.count("again from its last state") == 4


def test_one_that_crashes_again_and_again_without_coming_further_has_failed(
    queued: QueueStore, runs: list[Path]
) -> None:
    starts = list[Path]()

    def crashes(run: Path) -> None:
        starts.append(run)
        if run == runs[0]:
            raise TrainerCrashed("The system ended the training (SIGKILL)")

    worker = worked(queued, FakeTraining(crashes))

    assert starts == [runs[0]] * 3 + runs[1:]
    assert states(queued)[0] == ("a b", "failed")
    assert worker.outcomes[0].exit_code == 3


def test_a_run_that_another_process_holds_is_waited_for(
    queued: QueueStore, runs: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tried = list[Path]()

    def held(run: Path) -> None:
        tried.append(run)
        if len(tried) < 4:
            assert states(queued)[0] == ("a b", "training")
            raise RunInUse("a b is in use: another works on it")

    monkeypatch.setattr(queue_turn, "HELD_SECONDS", 0.01)
    worked(queued, FakeTraining(held))

    assert tried == [runs[0]] * 4 + runs[1:]
    assert {state for _, state in states(queued)} == {"trained"}
    assert capsys.readouterr().err.count("Waiting: a b is in use: another works on it") == 1


def test_a_run_that_is_waited_for_may_be_moved_behind_the_others(
    queued: QueueStore, runs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def held(run: Path) -> None:
        if run == runs[0] and len(train.trained) == 1:
            queued.arrange([2, 3, 1])
            raise RunInUse("in use")

    monkeypatch.setattr(queue_turn, "HELD_SECONDS", 0.01)
    train = FakeTraining(held)
    worked(queued, train)

    assert train.trained == [runs[0], *runs[1:], runs[0]]


def test_there_is_one_worker_at_a_time(queued: QueueStore, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with only_worker(data), pytest.raises(WorkerRuns, match=r"loracle queue \(process"):
        worked(queued, FakeTraining())

    with only_worker(data):
        for given in (("start",), ("start", "--background")):
            code, _, err = loracle(capsys, *given)
            assert (code, "is worked on already" in err) == (2, True)
    assert len(queued.open_entries()) == 3


def test_the_lock_of_a_worker_that_was_killed_under_another_name_of_the_machine_is_no_worker(data: Path) -> None:
    data.mkdir()
    (data / "queue.lock").write_text('{"pid": 1, "host": "another", "since": 5.0, "what": "loracle queue"}\n', "utf-8")
    assert worker_at_work() is None

    with only_worker():
        found = worker_at_work()
        assert found is not None
        assert found.pid == os.getpid()
        held = found.text((data / "queue.lock").stat().st_ino).replace(found.host.encode(), b"another")
        (data / "queue.lock").write_bytes(held)
        assert worker_at_work() is not None


def test_nothing_to_do_is_said(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for given in (("start",), ("start", "--background"), ("stop",)):
        code, out, _ = loracle(capsys, *given)
        assert code == 0
        assert "Nothing waits" in out or "Nobody works" in out


@posix
@pytest.mark.parametrize(("wish", "left"), [("now", 2), ("after_run", 2)])
def test_stop_ends_it_now_or_after_the_run(
    queued: QueueStore, runs: list[Path], monkeypatch: pytest.MonkeyPatch, wish: str, left: int
) -> None:
    monkeypatch.setattr(queue_worker, "LOOK_SECONDS", 0.01)

    def is_stopped(run: Path) -> None:
        worker = worker_at_work()
        assert worker is not None
        queued.ask_to_stop(queue_worker.known_as(worker), "now" if wish == "now" else "after_run")
        until = time.monotonic() + (20 if wish == "now" else 0.3)
        while time.monotonic() < until:
            time.sleep(0.01)

    worker = worked(queued, FakeTraining(is_stopped))

    assert worker.was_ended == (wish == "now")
    assert [state for _, state in states(queued)].count("waiting") == (3 if wish == "now" else left)


def test_failures_are_the_exit_code(queued: QueueStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(run: Path) -> None:
        raise LoraError("no pictures")

    monkeypatch.setattr(queue_start, "QueueTurns", lambda store: QueueTurns(store, train=FakeTraining(fails)))
    with pytest.raises(NotAllTrained) as ended:
        queue_start.start()

    assert ended.value.exit_code == 2


def test_a_run_that_another_process_trains_is_not_trained_beside_it(
    queued: QueueStore, runs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the run's real lock, and the real `train_listed` up to it."""
    monkeypatch.setattr(queue_turn, "HELD_SECONDS", 0.01)
    monkeypatch.setattr("wizard.commands.train.train_with_retries", lambda *_: pytest.fail("trained beside it"))
    worker = QueueWorker(QueueTurns(queued))

    def end() -> None:
        wait_for(lambda: queued.entries()[0].message.startswith("waits: "), "the queue to wait")
        worker.was_ended = True

    with writing(RunFolder(runs[0]), "another", print):
        ending = threading.Thread(target=end)
        ending.start()
        worker.work()
        ending.join()

    assert "is in use: another" in queued.entries()[0].message


# --- As processes


def trained_exactly_once(run: Path) -> bool:
    assert_one_trained_at_a_time(run)
    (finished,) = events_of(run, "finished")
    return finished["steps"] == 2 * STEPS and RunFolder(run).lora("tok").exists()


@posix
def test_in_the_background_it_outlives_its_terminal(runs: list[Path], data: Path) -> None:
    environment = miniature_trainer.environment(0.1)
    QueueStore().add(runs[0], QueueOptions())
    with command_in_a_terminal(miniature_trainer.command("queue", "start", "--background"), environment) as (
        started,
        close,
    ):
        assert started.wait(60) == 0
        worker = worker_at_work()
        assert worker is not None
        close()
        wait_for(lambda: worker_at_work() is None, "the end of the queue", 60)

    assert states(QueueStore()) == [("a b", "trained")], (data / "queue.log").read_text("utf-8")
    assert trained_exactly_once(runs[0])


@posix
def test_stop_saves_the_run_at_hand_of_a_worker_in_the_background(
    runs: list[Path], data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for run in runs[:2]:
        QueueStore().add(run, QueueOptions())
    started = miniature_trainer.loracle("queue", "start", "--background", step_seconds=0.5)
    assert started.returncode == 0, started.stderr
    wait_for(lambda: has_begun(runs[0], "step"), "a step")
    code, out, _ = loracle(capsys, "stop")

    assert (code, "The queue was ended" in out) == (0, True), (data / "queue.log").read_text("utf-8")
    assert states(QueueStore()) == [("a b", "waiting"), ("Füchse", "waiting")]
    assert events_of(runs[0], "failed")[0]["code"] == "interrupted"
    assert RunFolder(runs[0]).has_state()
    assert not (runs[1] / "log").exists()

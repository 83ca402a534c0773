"""`loracle queue start --processes N`, `--gpus all`: several runs of the queue at the same time."""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from advisor.run_folder.event_file import EventWriter
from advisor.run_folder.events import StepDone
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import RunInUse
from tests.support import miniature_trainer
from tests.support.killed import has_begun, wait_for
from tests.support.made_up_nvml import GTX_1660, RTX_3070, RTX_3090, build_library, with_cards
from tests.support.miniature_trainer import cards_seen
from tests.support.runs import events_of, make_config, write_toml
from wizard.cli import main
from wizard.commands import queue_turn
from wizard.commands.queue import show_list, stop
from wizard.commands.queue_start import QueueWorker
from wizard.commands.queue_turn import QueueTurns
from wizard.commands.train_listed import ListedOptions
from wizard.processes import queue_worker, side_by_side
from wizard.processes.launch import TrainerCrashed
from wizard.processes.queue_store import QueueStore
from wizard.processes.queue_worker import known_as, only_worker, worker_at_work
from wizard.processes.slots import Slots
from wizard.show.list_summary import RunOutcome
from wizard.show.queue_view import QueueOptions

TWO = Slots(on_processor=2)
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LORACLE_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(side_by_side, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(queue_turn, "HELD_SECONDS", 0.05)
    return tmp_path


@pytest.fixture
def runs(folder: Path) -> list[Path]:
    """Four planned runs in the queue, for the processor."""
    config = make_config(folder)
    made = [write_toml(folder / name / "loracle.toml", config).parent for name in ("a b", "Füchse", "🦊", "d")]
    for run in made:
        QueueStore().add(run, QueueOptions(device="cpu"))
    return made


class FakeTraining:
    """Trains nothing, and remembers what it was asked to train, and how many at the same time."""

    def __init__(self, training: Callable[[Path, ListedOptions], None] = lambda run, options: None) -> None:
        self.training = training
        self.trained: list[Path] = []
        self.now: set[Path] = set()
        self.most_at_once = 0

    def __call__(self, run: Path, options: ListedOptions, *, what: str, as_json: bool) -> RunOutcome:
        assert (what, as_json, options.resume) == ("loracle queue", False, True)
        assert options.slot is not None
        assert options.interrupts is not None
        assert run not in self.now
        self.trained.append(run)
        self.now.add(run)
        self.most_at_once = max(self.most_at_once, len(self.now))
        try:
            self.training(run, options)
        finally:
            self.now.discard(run)
        return RunOutcome(run, "trained", steps=8, lora=run / "model" / "tok.safetensors")


def worked(train: FakeTraining, slots: Slots = TWO) -> QueueWorker:
    worker = QueueWorker(QueueTurns(QueueStore(), train=train), slots)
    worker.work()
    return worker


def states() -> dict[str, str]:
    return {entry.path.name: entry.state for entry in QueueStore().entries()}


def test_two_are_trained_at_the_same_time_and_each_once(runs: list[Path]) -> None:
    together = threading.Barrier(2, timeout=20)

    def trains(run: Path, options: ListedOptions) -> None:
        together.wait()

    train = FakeTraining(trains)
    worker = worked(train)

    assert train.most_at_once == 2
    assert Counter(train.trained) == dict.fromkeys(runs, 1)
    assert set(states().values()) == {"trained"}
    assert not worker.was_ended
    assert worker_at_work() is None
    assert {entry.card for entry in QueueStore().entries()} == {"the processor"}


def test_one_that_another_process_holds_is_waited_for_in_its_place_while_others_are_trained(
    runs: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    tried = list[Path]()

    def held(run: Path, options: ListedOptions) -> None:
        tried.append(run)
        if run == runs[0] and len(set(tried)) < 4:
            raise RunInUse("a b is in use: another works on it")

    train = FakeTraining(held)
    worked(train)

    assert set(states().values()) == {"trained"}
    assert tried.count(runs[0]) > 1
    assert all(tried.count(run) == 1 for run in runs[1:])
    assert capsys.readouterr().err.count("[a b] Waiting: a b is in use") == 1


def test_one_that_is_waited_for_leaves_its_place_to_nobody(runs: list[Path]) -> None:
    """Whoever holds it most likely computes on the same card."""
    seen = list[int]()

    def held(run: Path, options: ListedOptions) -> None:
        seen.append(len(train.now))
        if run == runs[0] and len(train.trained) < 6:
            raise RunInUse("in use")

    train = FakeTraining(held)
    worked(train, Slots())

    assert max(seen) == 1


def test_a_failed_and_a_crashed_one_leave_the_others_alone(
    runs: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(run: Path, options: ListedOptions) -> None:
        if run == runs[0]:
            raise TrainerCrashed("The system ended the training (SIGKILL)")
        if run == runs[1]:
            raise ZeroDivisionError("ours")

    train = FakeTraining(fails)
    worker = worked(train)

    assert states() == {"a b": "failed", "Füchse": "failed", "🦊": "trained", "d": "trained"}
    assert Counter(train.trained)[runs[0]] == 3
    assert sorted(one.exit_code for one in worker.outcomes) == [0, 0, 1, 3]
    assert "[Füchse] " in capsys.readouterr().err


def test_one_that_was_added_meanwhile_is_begun_beside_the_one_at_hand(runs: list[Path], folder: Path) -> None:
    for number in (2, 3, 4):
        QueueStore().end(number, "trained")
    later = write_toml(folder / "later" / "loracle.toml", make_config(folder)).parent
    has_begun_too = threading.Event()

    def trains(run: Path, options: ListedOptions) -> None:
        if run == later:
            has_begun_too.set()
        else:
            QueueStore().add(later, QueueOptions(device="cpu"))
            assert has_begun_too.wait(20)

    train = FakeTraining(trains)
    worked(train)

    assert train.trained == [runs[0], later]


def test_those_that_use_what_another_encodes_wait_until_it_makes_steps(runs: list[Path], folder: Path) -> None:
    for number in (1, 2, 3, 4):
        QueueStore().end(number, "trained")
    config = make_config(folder)
    first, second = (write_toml(folder / name / "loracle.toml", config).parent for name in ("first", "second"))
    QueueStore().add(first, QueueOptions(device="cpu"))
    QueueStore().add(second, QueueOptions(device="cpu", cache_from=first))
    looked, second_began = list[bool](), threading.Event()

    def trains(run: Path, options: ListedOptions) -> None:
        if run == second:
            second_began.set()
            return
        looked.append(second_began.wait(0.2))
        with EventWriter(RunFolder(run).events) as events:
            events.write(StepDone(step=1, epoch=1, loss=0.1))
        looked.append(second_began.wait(20))

    worked(FakeTraining(trains))

    assert looked == [False, True]


def test_what_a_worker_that_died_left_behind_waits_again(runs: list[Path]) -> None:
    QueueStore().begin(1, "a card")
    QueueStore().begin(3, "another")
    shown = list[list[str]]()

    def trains(run: Path, options: ListedOptions) -> None:
        if run == runs[0]:
            shown.append([entry.state for entry in QueueStore().open_entries()])

    worked(FakeTraining(trains), Slots())

    assert shown == [["training", "waiting", "waiting", "waiting"]]


@posix
@pytest.mark.parametrize("wish", ["now", "after_run"])
def test_stop_ends_all_of_them_now_or_after_those_at_hand(
    runs: list[Path], monkeypatch: pytest.MonkeyPatch, wish: str
) -> None:
    monkeypatch.setattr(queue_worker, "LOOK_SECONDS", 0.01)
    store, together = QueueStore(), threading.Barrier(2, timeout=20)

    def is_stopped(run: Path, options: ListedOptions) -> None:
        together.wait()
        worker, interrupts = worker_at_work(), options.interrupts
        assert worker is not None
        assert interrupts is not None
        if run == runs[0]:
            store.ask_to_stop(known_as(worker), "now" if wish == "now" else "after_run")
        if wish == "now":
            wait_for(lambda: interrupts.received, "the request to end", 20)
            raise KeyboardInterrupt("Training was interrupted")
        wait_for(lambda: turns.stop.wish, "the wish", 20)

    train = FakeTraining(is_stopped)
    turns = QueueTurns(store, train=train)
    worker = QueueWorker(turns, TWO)
    worker.work()

    assert worker.was_ended == (wish == "now")
    assert sorted(train.trained) == sorted(runs[:2])
    assert Counter(states().values())["waiting"] == (4 if wish == "now" else 2)


def test_options_that_cannot_be_are_refused(runs: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    for given in (("--gpus", "all", "--processes", "2"), ("--processes", "0"), ("--gpus", "2", "--gpu", "0")):
        with pytest.raises(SystemExit) as ended:
            main(["queue", "start", *given])
        assert ended.value.code == 2
        assert given[0] in capsys.readouterr().err
    assert set(states().values()) == {"waiting"}


# --- As processes


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_library(tmp_path_factory.mktemp("driver"))


def test_each_card_trains_its_own_run_and_what_none_can_train_waits_on(
    runs: list[Path], folder: Path, driver: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    QueueStore().remove([2, 3, 4])
    config = {"memory__preset": "medium", "memory__compute_dtype": "bfloat16"}
    own = make_config(folder, **config, machine__gpu_uuid=RTX_3090)  # type: ignore[arg-type]
    other = make_config(folder, **config)  # type: ignore[arg-type]
    large = make_config(folder, **config, dataset__resolution_px=1024, schedule__batch_size=256)  # type: ignore[arg-type]
    cards = [
        write_toml(folder / f"card {number}" / "loracle.toml", one).parent for number, one in enumerate((own, other))
    ]
    too_large = write_toml(folder / "too large" / "loracle.toml", large).parent
    for run in (too_large, *cards):
        QueueStore().add(run, QueueOptions())
    ended = miniature_trainer.loracle("queue", "start", "--gpus", "all", more=with_cards(driver, "three"))

    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert [cards_seen(run) for run in cards] == [[RTX_3090], [RTX_3070]]
    assert GTX_1660 not in str([cards_seen(run) for run in cards])
    assert events_of(runs[0], "finished")
    assert not (too_large / "log").exists()
    assert states() == {"a b": "trained", "card 0": "trained", "card 1": "trained", "too large": "waiting"}
    assert (
        "[too large] ! It waits on: no card can train it: NVIDIA GeForce RTX 3070 (card 0): it has 8.0" in ended.stderr
    )
    show_list()
    shown = " ".join(capsys.readouterr().out.split())
    assert "on NVIDIA GeForce RTX 3090 (card 2)" in shown
    assert "no card can train it" in shown


@posix
def test_a_worker_in_the_background_has_its_options(
    runs: list[Path], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for run in runs:
        write_toml(run / "loracle.toml", make_config(folder, schedule__epochs=500))
    started = miniature_trainer.loracle("queue", "start", "--background", "--processes", "2", step_seconds=0.1)
    assert started.returncode == 0, started.stderr
    wait_for(lambda: all(has_begun(run, "step") for run in runs[:2]), "two at once", 30)
    show_list(as_json=True)
    entries = json.loads(capsys.readouterr().out)["entries"]
    stop()

    assert [(one["state"], one["card"]) for one in entries if one["state"] == "training"] == [
        ("training", "the processor")
    ] * 2
    told = capsys.readouterr()
    assert "The runs at hand are saved" in told.err
    assert "The queue was ended" in told.out
    assert set(states().values()) == {"waiting"}
    assert all(RunFolder(run).has_state() for run in runs[:2])
    with only_worker():
        pass

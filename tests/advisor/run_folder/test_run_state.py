from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from advisor.run_folder.events import AnyEvent, Failed, Finished, RungTaken, Started, StepDone
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import Holder, writing
from advisor.run_folder.run_state import RunState, run_state, state_of, still_works
from tests.advisor.run_folder.test_lock import end, holding

TRAIN = Holder(7, "here", 1.0, "loracle train")
TRAINER = Holder(8, "here", 2.0, "the trainer")
QUEUE = Holder(6, "here", 2.5, "loracle queue")
EXPORT = Holder(9, "here", 3.0, "loracle export")


def state(
    events: Sequence[AnyEvent] = (),
    *,
    trainer: Holder | None = None,
    writer: Holder | None = None,
    works: bool | None = True,
    has_trained: bool = False,
) -> RunState:
    return run_state(events, trainer, writer, has_trained=has_trained, works=lambda _: works)


@pytest.mark.parametrize(
    ("events", "activity"),
    [
        ((), "planned"),
        ((Started(), StepDone(step=1), Finished(steps=1)), "finished"),
        ((Started(), StepDone(step=1), Failed(code="interrupted", message="by you")), "interrupted"),
        ((Started(), Failed(code="training_stopped", message="no number")), "failed"),
        ((Started(), StepDone(step=1)), "died"),
        ((Started(), Finished(steps=1), Started(resumed_from=1), StepDone(step=2)), "died"),
        ((Started(), Failed(code="out_of_memory"), RungTaken(), Started(resumed_from=1), Finished()), "finished"),
    ],
)
def test_a_run_that_nobody_works_on_is_as_its_last_training_ended(events: Sequence[AnyEvent], activity: str) -> None:
    assert state(events).activity == activity


def test_why_it_ended_is_kept() -> None:
    assert state((Started(), Failed(code="training_stopped", message="no number"))).message == "no number"


def test_one_that_trained_and_has_no_events_is_unknown() -> None:
    assert state(has_trained=True).activity == "unknown"


@pytest.mark.parametrize(("trainer", "writer"), [(TRAINER, None), (None, TRAIN), (None, QUEUE), (TRAINER, TRAIN)])
def test_one_with_a_trainer_at_work_is_training(trainer: Holder | None, writer: Holder | None) -> None:
    found = state((Started(), Failed(code="out_of_memory")), trainer=trainer, writer=writer)

    assert found == RunState("training", holder=writer or trainer)


@pytest.mark.parametrize(("trainer", "writer"), [(TRAINER, None), (None, TRAIN), (TRAINER, TRAIN)])
def test_one_whose_trainer_was_killed_is_dead(trainer: Holder | None, writer: Holder | None) -> None:
    assert state((Started(), StepDone(step=1)), trainer=trainer, writer=writer, works=False) == RunState("died")


def test_who_only_writes_into_it_does_not_train_it() -> None:
    assert state((Started(), Finished()), writer=EXPORT) == RunState("finished", holder=EXPORT)


def test_of_another_machine_nothing_is_claimed() -> None:
    assert state((Started(), StepDone(step=1)), trainer=TRAINER, works=None).activity == "elsewhere"
    assert still_works(Holder(1, f"not-{platform.node()}", 0.0, "loracle train")) is None


def test_looking_takes_no_lock_and_writes_nothing(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    with writing(run, "loracle train", print):
        before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
        assert state_of(run, ()).activity == "training"
        assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_killed_process_is_told_from_one_that_works(tmp_path: Path) -> None:
    child = holding(tmp_path, "training")
    try:
        assert state_of(RunFolder(tmp_path), (Started(),)).activity == "training"
    finally:
        end(child)

    assert state_of(RunFolder(tmp_path), (Started(),)).activity == "died"


@pytest.mark.parametrize("host", [None, "not-this-machine"])
def test_nobody_works_on_a_copy_that_was_made_while_the_run_was_trained(tmp_path: Path, host: str | None) -> None:
    run, copy = tmp_path / "run", tmp_path / "copy"
    with writing(RunFolder(run), "loracle train", print):
        shutil.copytree(run, copy)
        for lock in (copy / ".lock",) if host else ():
            lock.write_text(json.dumps(json.loads(lock.read_text()) | {"host": host}))

        assert state_of(RunFolder(run), (Started(),)).activity == "training"
        assert state_of(RunFolder(copy), (Started(),)).activity == "died"


def test_a_lock_of_an_earlier_version_tells_who_has_it(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text('{"pid": 1, "host": "not-this-machine", "since": 1.0, "what": "loracle train"}\n')

    assert state_of(RunFolder(tmp_path), (Started(),)).activity == "elsewhere"

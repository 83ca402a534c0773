from __future__ import annotations

from pathlib import Path

import pytest

from advisor.errors import RunError
from advisor.run_folder.events import AnyEvent, EpochDone, LoraSaved, Started, StepDone
from advisor.run_folder.layout import RunFolder
from tests.support.runs import events_of
from trainer.runtime.events import Events


def test_each_event_is_on_the_disk_at_once(tmp_path: Path) -> None:
    with Events(tmp_path) as events:
        events.send(LoraSaved(path="model/ä.safetensors", step=1, epoch=1))

        (event,) = events_of(tmp_path)

    assert event.pop("t") > 1.7e9
    assert event == {"event": "saved", "path": "model/ä.safetensors", "step": 1, "epoch": 1}


def test_numbers_that_are_not_finite_become_null(tmp_path: Path) -> None:
    with Events(tmp_path) as events:
        events.send(StepDone(step=1, loss=float("nan")))

    assert events_of(tmp_path)[0]["loss"] is None


def test_a_second_run_adds_to_the_first(tmp_path: Path) -> None:
    for number in range(2):
        with Events(tmp_path) as events:
            events.send(EpochDone(epoch=number))

    assert [event["epoch"] for event in events_of(tmp_path)] == [0, 1]


def test_the_end_of_a_phase_is_told_however_quick_it_was(tmp_path: Path) -> None:
    with Events(tmp_path) as events:
        for done in range(1, 51):
            events.progress("cache_latents", done, 50)

    told = [event["done"] for event in events_of(tmp_path)]
    assert told[0] == 1
    assert told[-1] == 50
    assert len(told) < 50


def test_half_a_line_that_a_crash_left_does_not_swallow_the_next_event(tmp_path: Path) -> None:
    with Events(tmp_path) as events:
        events.send(Started())
    path = tmp_path / "log" / "events.jsonl"
    path.write_bytes(path.read_bytes() + b'{"t": 2, "event": "st')

    with Events(tmp_path) as events:
        events.send(Started(resumed_from=1))
        events.send(EpochDone(epoch=1))

    log = RunFolder(tmp_path).read_events()
    assert [event.event for event in log.events] == ["started", "started", "epoch"]
    assert log.damaged_lines == 1


def test_a_listener_that_fails_is_left_out_and_the_training_goes_on(tmp_path: Path) -> None:
    def broken(event: AnyEvent) -> None:
        raise OSError("disk full")

    with Events(tmp_path, broken) as events:
        events.send(EpochDone(epoch=1))
        events.send(EpochDone(epoch=2))

    assert [event["event"] for event in events_of(tmp_path)] == ["epoch", "warning", "epoch"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a file", encoding="utf-8")

    with pytest.raises(RunError, match=r"events\.jsonl cannot be written"):
        Events(tmp_path)

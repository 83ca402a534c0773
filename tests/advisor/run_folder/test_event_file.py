from __future__ import annotations

import json
from pathlib import Path

import pytest

from advisor.errors import RunError
from advisor.run_folder import event_file
from advisor.run_folder.event_file import EventTail, EventWriter
from advisor.run_folder.events import EpochDone, LoraSaved, Started, StepDone, WarningGiven
from advisor.run_folder.layout import RunFolder
from tests.support.special_files import KINDS, on_posix, special_file


def run_with(folder: Path, content: bytes) -> RunFolder:
    run = RunFolder(folder)
    run.log.mkdir()
    run.events.write_bytes(content)
    return run


def test_events_are_read_in_their_order(tmp_path: Path) -> None:
    run = run_with(tmp_path, b'{"event": "started"}\n{"t": 2.5, "event": "step", "step": 1}\n')

    assert run.read_events().events == (Started(), StepDone(unix_seconds=2.5, step=1))


def test_damaged_lines_are_passed_over_and_counted(tmp_path: Path) -> None:
    damaged = (b"[1]", b"\xff", b'{"no": 1}', b'{"event": 5}', b"[" * 100_000, b'{"event": "step", "step": "x"}')
    run = run_with(tmp_path, b"\n".join([b'{"event": "step", "step": 1}', *damaged, b'{"event": "st']))

    log = run.read_events()

    assert log.events == (StepDone(step=1),)
    assert log.damaged_lines == len(damaged) + 1


def test_a_saved_lora_without_its_path_is_a_damaged_line(tmp_path: Path) -> None:
    log = run_with(tmp_path, b'{"event": "saved", "step": 1}\n{"event": "saved", "path": "model/a"}\n').read_events()

    assert (log.events, log.damaged_lines) == ((LoraSaved(path="model/a"),), 1)


def test_kinds_and_fields_of_a_newer_version_are_passed_over(tmp_path: Path) -> None:
    newer = b'{"event": "graded", "grade": 1}\n{"event": "epoch", "epoch": 2, "mood": "fine"}\n\n'

    log = run_with(tmp_path, newer).read_events()

    assert (log.events, log.damaged_lines) == ((EpochDone(epoch=2),), 0)


def test_a_run_that_never_trained_has_no_events(tmp_path: Path) -> None:
    assert RunFolder(tmp_path).read_events().events == ()


def test_events_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    RunFolder(tmp_path).events.mkdir(parents=True)

    with pytest.raises(RunError, match=r"events\.jsonl cannot be read"):
        RunFolder(tmp_path).read_events()


def test_a_written_event_has_its_time_first_and_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "log" / "events.jsonl"
    with EventWriter(path) as writer:
        written = writer.write(WarningGiven(code="x", message="ä"))

    line = path.read_text("utf-8")
    assert line == json.dumps({"t": written.unix_seconds, "event": "warning", "code": "x", "message": "ä"},
                              ensure_ascii=False) + "\n"  # fmt: skip
    assert written.unix_seconds > 1.7e9
    assert RunFolder(tmp_path).read_events().events == (written,)


def test_names_of_files_in_an_old_encoding_come_through(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    with run.event_writer() as writer:
        writer.write(WarningGiven(code="x", message="fox\udce4.png cannot be read"))

    (event,) = run.read_events().events
    assert isinstance(event, WarningGiven)
    assert event.message == "fox\udce4.png cannot be read"


def test_a_last_line_that_was_cut_off_is_ended_before_the_next_event(tmp_path: Path) -> None:
    run = run_with(tmp_path, b'{"event": "started"}\n{"event": "st')

    with run.event_writer() as writer:
        writer.write(EpochDone(epoch=1))
        writer.write(EpochDone(epoch=2))

    log = run.read_events()
    assert [event.event for event in log.events] == ["started", "epoch", "epoch"]
    assert log.damaged_lines == 1


def test_half_a_line_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    tail = EventTail(path)
    path.write_bytes(b'{"event": "epoch", "epoch": 1}\n{"eve')

    assert list(tail.new()) == [EpochDone(epoch=1)]

    with path.open("ab") as file:
        file.write(b'nt": "saved", "path": "b\xc3\xbc"}\nno json\n[1]\n')

    assert list(tail.new()) == [LoraSaved(path="bü")]
    assert list(tail.new()) == []


def test_what_was_there_before_is_no_new_event(tmp_path: Path) -> None:
    run = run_with(tmp_path, b'{"event": "epoch", "epoch": 1}\n')

    assert list(run.new_events().new()) == []


@pytest.mark.parametrize(
    "line",
    [
        '{"event": "step", "step": -5}', '{"event": "step", "step": 1e30}', '{"event": "step", "step": NaN}',
        '{"event": "epoch", "epoch": 9007199254740993}', '{"t": "x", "event": "started"}',
        '{"t": 1e30, "event": "started"}', '{"event": "progress", "done": {}}',
        '{"event": "started", "event": "epoch"}', '{"event": "ladder", "slowdown": NaN}',
    ],
)  # fmt: skip
def test_a_line_of_numbers_that_no_training_has_is_damaged(tmp_path: Path, line: str) -> None:
    log = run_with(tmp_path, line.encode() + b"\n").read_events()

    assert (log.events, log.damaged_lines) == ((), 1)


def test_a_line_without_end_is_damaged_and_what_follows_is_read(tmp_path: Path) -> None:
    content = b'{"event": "warning", "message": "' + b"a" * 3_000_000 + b'"}\n{"event": "epoch", "epoch": 1}\n'

    log = run_with(tmp_path, content).read_events()

    assert (log.events, log.damaged_lines) == ((EpochDone(epoch=1),), 1)


def test_an_event_file_larger_than_any_trainings_is_refused(tmp_path: Path) -> None:
    run = run_with(tmp_path, b"")
    with run.events.open("r+b") as file:
        file.truncate(2 * 1024**3)

    with pytest.raises(RunError, match=r"events\.jsonl has more than 1,073,741,824 bytes"):
        run.read_events()


@on_posix
@pytest.mark.parametrize("kind", KINDS)
def test_no_event_is_appended_to_what_is_no_file(tmp_path: Path, kind: str) -> None:
    with (
        special_file(tmp_path / "events.jsonl", kind) as path,
        pytest.raises(RunError, match=f"{path} cannot be written: it is a"),
    ):
        EventWriter(path)


def test_numbers_beyond_all_measure_are_none(tmp_path: Path) -> None:
    run = run_with(tmp_path, b'{"event": "step", "step": 1, "loss": -1e101, "seconds": 1e308, "gradient_norm": 1e99}')

    assert run.read_events().events == (StepDone(step=1, gradient_norm=1e99),)


def test_of_a_file_of_millions_of_lines_the_first_and_the_last_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_file, "FIRST_LINES", 2)
    monkeypatch.setattr(event_file, "LAST_LINES", 3)
    lines = [b'{"event": "step", "step": %d}\n' % step for step in range(10)]

    assert run_with(tmp_path, b"".join(lines)).read_events().events == tuple(map(step_done, (0, 1, 7, 8, 9)))

    monkeypatch.setattr(event_file, "MOST_LAST_BYTES", 2 * len(lines[0]))
    assert RunFolder(tmp_path).read_events().events == tuple(map(step_done, (0, 1, 8, 9)))


def step_done(step: int) -> StepDone:
    return StepDone(step=step)

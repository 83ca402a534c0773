from __future__ import annotations

from pathlib import Path

from advisor.run_folder.events import read_events


def test_events_are_read_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "events.jsonl").write_bytes(b'{"event": "started"}\n{"event": "step", "step": 1}\n')

    assert [event["event"] for event in read_events(tmp_path)] == ["started", "step"]


def test_a_line_that_a_crash_left_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "events.jsonl").write_bytes(b'{"event": "step"}\n[1]\n\xff\n{"no": 1}\n{"event": "st')

    assert read_events(tmp_path) == [{"event": "step"}]


def test_a_run_that_never_trained_has_no_events(tmp_path: Path) -> None:
    assert read_events(tmp_path) == []

from __future__ import annotations

from pathlib import Path
from typing import Any

from wizard.show.progress import EventTail, Progress


def after(*events: dict[str, Any]) -> Progress:
    progress = Progress()
    for event in events:
        progress = progress.after(event)
    return progress


def test_the_time_left_is_that_of_the_middle_step() -> None:
    steps = [{"event": "step", "step": n, "loss": 0.5, "seconds": s} for n, s in enumerate((9.0, 1.0, 1.0), start=1)]

    progress = after({"event": "phase", "name": "train", "total": 10}, *steps)

    assert progress.seconds_per_step == 1.0
    assert progress.seconds_left == 7.0


def test_the_loss_is_smoothed() -> None:
    progress = after({"event": "step", "step": 1, "loss": 1.0}, {"event": "step", "step": 2, "loss": 0.0})

    assert progress.loss == 0.95


def test_a_loss_that_is_no_number_changes_nothing() -> None:
    assert after({"event": "step", "step": 1, "loss": 1.0}, {"event": "step", "step": 2, "loss": None}).loss == 1.0


def test_saving_between_steps_does_not_lose_the_place() -> None:
    progress = after(
        {"event": "phase", "name": "train", "total": 10},
        {"event": "step", "step": 5},
        {"event": "phase", "name": "save", "total": 1},
        {"event": "progress", "phase": "save", "done": 1, "total": 1},
        {"event": "step", "step": 6},
    )

    assert (progress.phase, progress.done, progress.total) == ("train", 6, 10)


def test_progress_names_its_phase() -> None:
    progress = after({"event": "progress", "phase": "cache_latents", "done": 3, "total": 30})

    assert (progress.phase, progress.done, progress.total) == ("cache_latents", 3, 30)


def test_the_peak_of_memory_is_kept() -> None:
    assert after({"event": "step", "memory_bytes": 9}, {"event": "step", "memory_bytes": 5}).peak_memory_bytes == 9


def test_unknown_and_damaged_events_change_nothing() -> None:
    assert after({"event": "new_kind"}, {}, {"event": "step", "step": "x"}).step == 0


def test_half_a_line_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    tail = EventTail(path)
    path.write_bytes(b'{"event": "a"}\n{"eve')

    assert [event["event"] for event in tail.new()] == ["a"]

    with path.open("ab") as file:
        file.write(b'nt": "b\xc3\xbc"}\nno json\n[1]\n')

    assert [event["event"] for event in tail.new()] == ["bü"]
    assert list(tail.new()) == []

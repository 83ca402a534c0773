"""The lines of events.jsonl as older tools read them: the same names in the same order."""

from __future__ import annotations

import pytest

from advisor.errors import MemoryFacts
from advisor.run_folder.events import (
    Event,
    Failed,
    Finished,
    Paused,
    Reloaded,
    ReloadFigures,
    RungTaken,
    Started,
    StepDone,
)
from advisor.run_folder.ladder_file import Taken

RUNG = Taken(rung="x", before={"a.b": False}, after={"a.b": True}, message="m", step=3)

LINES: list[tuple[Event, dict[str, object]]] = [
    (
        Started(config_hash="0", resumed_from=None, memory_cap_bytes=None),
        {"t": 0.0, "event": "started", "config_hash": "0", "resumed_from": None, "memory_cap_bytes": None},
    ),
    (
        StepDone(
            step=1, epoch=1, loss=float("nan"), unet_learning_rate=1e-4, text_encoder_learning_rate=None,
            gradient_norm=float("inf"), seconds=0.5, memory_bytes=7,
        ),
        {
            "t": 0.0, "event": "step", "step": 1, "epoch": 1, "loss": None, "unet_learning_rate": 1e-4,
            "text_encoder_learning_rate": None, "gradient_norm": None, "seconds": 0.5, "memory_bytes": 7,
        },
    ),
    (
        RungTaken.of(RUNG),
        {
            "t": 0.0, "event": "ladder", "rung": "x", "from": {"a.b": False}, "to": {"a.b": True}, "message": "m",
            "step": 3, "saved_bytes": 0, "slowdown": 1.0, "price": "", "cause": "",
        },
    ),
    (
        Paused(folder="/runs/fox", needed_bytes=5, free_bytes=None),
        {"t": 0.0, "event": "paused", "folder": "/runs/fox", "needed_bytes": 5, "free_bytes": None},
    ),
    (
        Reloaded(missing=0, unexpected=0, unet_change=0.5),
        {"t": 0.0, "event": "reload_check", "missing": 0, "unexpected": 0, "unet_change": 0.5},
    ),
    (
        Finished(steps=9, seconds=1.5, loras=("model/a",), ladder=(RUNG,), reload_check=ReloadFigures(missing=1)),
        {
            "t": 0.0, "event": "finished", "steps": 9, "seconds": 1.5, "loras": ("model/a",),
            "ladder": ({
                "rung": "x", "before": {"a.b": False}, "after": {"a.b": True}, "message": "m", "step": 3,
                "saved_bytes": 0, "slowdown": 1.0, "price": "", "cause": "",
            },),
            "reload_check": {
                "missing": 1, "unexpected": 0, "unet_change": None, "text_change": None, "zero_change": None,
                "difference": None, "tolerance": None,
            },
        },
    ),
    (
        Failed(code="interrupted", message="m"),
        {"t": 0.0, "event": "failed", "code": "interrupted", "message": "m"},
    ),
    (
        Failed(code="out_of_memory", message="m", memory=MemoryFacts("step", "cuda", (512, 768), 4, 3, 2, 1)),
        {
            "t": 0.0, "event": "failed", "code": "out_of_memory", "message": "m",
            "memory": {
                "phase": "step", "device": "cuda", "largest": (512, 768), "peak_bytes": 4, "total_bytes": 3,
                "free_bytes": 2, "others_bytes": 1,
            },
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("event", "line"), LINES, ids=[f"{number}-{event.event}" for number, (event, _) in enumerate(LINES)]
)
def test_a_line_has_the_names_that_were_given_in_their_order(event: Event, line: dict[str, object]) -> None:
    assert list(event.line().items()) == list(line.items())


def test_a_spill_is_among_what_was_seen_of_the_memory() -> None:
    line = Failed(memory=MemoryFacts(spill=41.3, step=7)).line()["memory"]

    assert list(line)[-1] == "spill"
    assert "step" not in line


def test_an_event_of_the_ladder_is_the_rung_again() -> None:
    assert RungTaken.of(RUNG).taken == RUNG

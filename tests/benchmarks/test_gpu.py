"""What is measured on a card runs here on small models, so that a card's first minute finds no typing errors."""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path

import pytest

from benchmarks.gpu import __main__ as gpu
from benchmarks.gpu import measure, steps
from benchmarks.gpu.cases import CASES, TINY_SIDE_PX, Case
from benchmarks.gpu.table import table
from trainer.device.mover import PlainMover


@pytest.mark.parametrize(
    "case",
    [
        Case("sd1", TINY_SIDE_PX, dtype="float32", text="trained"),
        Case("sdxl", TINY_SIDE_PX, dtype="float32", base_dtype="nf4", checkpointing=True, batch_size=2),
        Case("anima", TINY_SIDE_PX, dtype="float32", checkpointing=True),
        Case("anima", TINY_SIDE_PX, dtype="float32", base_dtype="int8", swapped=28),
        Case("sd1", TINY_SIDE_PX, "recipe", dtype="float32", text="trained", checkpointing=True),
        Case("sdxl", TINY_SIDE_PX, "recipe", dtype="float32", batch_size=2),
    ],
    ids=lambda case: case.name,
)
def test_steps_are_made_and_timed(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "MOST_STEPS", 2)
    monkeypatch.setattr(steps, "mover_for", lambda _: PlainMover())

    found = measure.measured(case, "cpu", tiny=True)

    assert isfinite(found.loss)
    assert found.steps == 2
    assert found.seconds > 0
    assert (found.reserved_bytes, found.card_bytes) == (0, None)


def test_every_case_of_ours_has_a_prediction() -> None:
    for case in set(CASES):
        told = measure.predicted(case, "cpu")
        assert bool(told) == (case.way == "loracle")
        if told:
            assert told["seconds"] > 0
            assert 0 < told["allocated_bytes"] < told["reserved_bytes"] <= told["card_bytes"]


@pytest.mark.slow
def test_a_process_of_its_own_tells_figures_and_failures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good, broken = Case("sd1", TINY_SIDE_PX, dtype="float32"), Case("anima", TINY_SIDE_PX, "recipe")
    monkeypatch.setattr(gpu, "FIRST_GUESS_SECONDS", 1.0)

    document = gpu.run_all([good, broken], device="cpu", tiny=True, seconds=500, out=tmp_path)

    first, second = document["results"]
    assert first["measured"]["steps"] >= 1
    assert "failed" in second
    assert json.loads((tmp_path / "gpu.json").read_text("utf-8")) == document
    assert (tmp_path / "gpu.md").read_text("utf-8") == table(document)


def test_what_there_is_no_time_for_is_left_out_and_named(tmp_path: Path) -> None:
    document = gpu.run_all(CASES, device="cpu", tiny=True, seconds=gpu.FIRST_GUESS_SECONDS / 2, out=tmp_path)

    assert document["results"] == []
    assert document["left_out"] == [case.name for case in CASES]
    assert all(f"- {case.name}" in table(document) for case in CASES)


def test_ours_stands_beside_the_recipe_and_what_was_predicted() -> None:
    def result(way: str, seconds: float, predicted: dict[str, float]) -> dict[str, object]:
        measured = {"seconds": seconds, "first_seconds": 2.0, "allocated_bytes": 3 * 2**30, "reserved_bytes": 0}
        measured["card_bytes"] = 0
        return {"name": f"sd1 512 px {way}", "way": way, "measured": measured, "predicted": predicted}

    told = {"seconds": 0.12, "allocated_bytes": 2**31}
    document = {
        "command": "c", "machine": "m", "budget_seconds": 9, "left_out": [],
        "results": [result("loracle", 0.1, told), result("recipe", 0.2, {})],
    }  # fmt: skip
    rows = table(document).splitlines()[-2:]

    assert rows[0] == "| sd1 512 px loracle | 0.100 (0.120) | 0.50 | 2.0 s | 3.00 (2.00) GiB |  |  |"
    assert rows[1] == "| sd1 512 px recipe | 0.200 |  | 2.0 s | 3.00 GiB |  |  |"

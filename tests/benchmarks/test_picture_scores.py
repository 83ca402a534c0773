from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.picture_scores import PAGE, RESULTS, collected, page, pair_of, rank_correlation


def test_the_page_has_the_figures_of_the_results() -> None:
    """`python -m benchmarks.picture_scores page` writes it."""
    text = PAGE.read_text("utf-8")

    assert page(json.loads(RESULTS.read_text("utf-8")), text) == text


def test_a_rank_correlation_is_spearmans() -> None:
    assert rank_correlation([1, 2, 3, 4], [10, 20, 25, 90]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    assert rank_correlation([1, 1, 2, 3], [1, 1, 3, 2]) == pytest.approx(7 / 9, abs=0.01)
    assert rank_correlation([1, 1, 1], [1, 2, 3]) is None


def test_epochs_are_means_over_the_prompts_that_say_something(tmp_path: Path) -> None:
    cells = [
        (1, 0, {"likeness": 0.2, "colour": 0.1, "obedience": 0.9, "damage": 0.0}),
        (1, 1, {"likeness": 0.0, "colour": 0.0, "obedience": 0.5, "damage": 0.4, "leak": 0.3}),
        (0, 0, {"likeness": 0.0, "colour": 0.0, "obedience": 1.0, "damage": 0.0}),
    ]
    scores = [
        {"epoch": epoch, "weight": 1.0, "prompt": prompt, "seed": 1, "values": values}
        for epoch, prompt, values in cells
    ]
    truth = {"epochs": [{"identity": 0.25, "obedience": 0.6, "no_leak": 0.7}]}
    (tmp_path / "run").mkdir()
    prompts = ["mia, hat", "hat, light skin"]
    (tmp_path / "run" / "scores.json").write_text(json.dumps({"trigger": "mia", "prompts": prompts, "scores": scores}))
    (tmp_path / "run" / "truth.json").write_text(json.dumps(truth))

    run = collected(tmp_path)["run"]

    assert pair_of(run, "likeness", "identity") == ([0.2], [0.25])
    assert pair_of(run, "obedience", "obedience") == ([0.5], [0.6])
    assert pair_of(run, "leak", "no_leak") == ([0.7], [0.7])
    assert run["measured"]["damage"] == [0.2]

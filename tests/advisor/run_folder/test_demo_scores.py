from __future__ import annotations

import json
from pathlib import Path

import pytest

from advisor.errors import RunError
from advisor.run_folder.demo_scores import DemoScores
from advisor.run_folder.layout import RunFolder

SCORES = DemoScores(0.1, 0.9, 0.95, 1.0, 0.8, 3.5)


def test_what_the_demo_measured_comes_back(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.write_demo_scores(SCORES)

    assert run.read_demo_scores() == SCORES
    assert list(json.loads(run.demo_scores.read_text("utf-8"))) == [
        "identity_before", "identity_after", "identity_real", "obedience_before", "obedience_after", "leak",
    ]  # fmt: skip


def test_scores_of_a_newer_version_are_passed_over(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.write_demo_scores(SCORES)
    run.demo_scores.write_text(json.dumps(json.loads(run.demo_scores.read_text("utf-8")) | {"variety": 0.5}), "utf-8")

    assert run.read_demo_scores() == SCORES


def test_damaged_scores_are_named_with_the_place_and_the_mend(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.write_demo_scores(SCORES)
    run.demo_scores.write_text(run.demo_scores.read_text("utf-8").replace("0.9,", '"much",'), "utf-8")

    with pytest.raises(RunError, match=r"demo\.json cannot be read \(identity_after: .*delete it"):
        run.read_demo_scores()

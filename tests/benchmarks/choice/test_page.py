"""The committed page about recommended epochs."""

import json

from benchmarks.choice.design import FINAL
from benchmarks.choice.page import PAGE, RESULTS, document, page
from tests.benchmarks.choice.test_outcome import outcome

MACHINE = {"processor": "Example 1", "cores": 2, "torch": "2"}
ASKED = {"prompts": 8, "seeds": 3, "truth_pictures": 40}


def test_the_page_says_what_was_measured() -> None:
    assert PAGE.read_text("utf-8") == page(json.loads(RESULTS.read_text("utf-8"))), (
        "python -m benchmarks.choice final --work FOLDER --page"
    )


def test_the_results_are_those_of_the_design() -> None:
    names = [spec.name for spec in FINAL]
    judged = [run["run"] for run in json.loads(RESULTS.read_text("utf-8"))["runs"]]

    assert judged == [name for name in names if name in judged]
    assert len(judged) == len(set(judged))


def test_a_miss_is_named_with_what_it_costs() -> None:
    text = page(document([outcome(1), outcome(2)], MACHINE, ASKED))

    assert "- one: epoch 1, best 2 (75% less, +- 0%)." in text
    assert "within 5 % of the best one's true score | 1 of 2 |" in text


def test_a_bad_run_stands_apart_from_those_that_are_judged_by_their_truth() -> None:
    bad = outcome(None, "burnt", "burnt", truth=())

    results = document([outcome(2), bad], MACHINE, ASKED)

    assert results["totals"]["runs"] == 1
    assert "| one | burnt | burnt |" in page(results)


def test_what_was_told_stands_beside_what_came_of_it() -> None:
    text = page(document([outcome(1), outcome(2)], MACHINE, ASKED))

    assert "| 0.90 to 1.00 | 2 | 0.90 | 1 |" in text
    assert "On average it said 0.90; 0.50 were within 5 %." in text

"""The committed page about recommended epochs."""

import json
from dataclasses import replace

from benchmarks.choice.again import judged_again
from benchmarks.choice.design import SETS
from benchmarks.choice.outcome import CHOSEN
from benchmarks.choice.page import PAGE, RESULTS, Commits, document, page
from benchmarks.choice.truth import EpochTruth
from tests.benchmarks.choice.test_outcome import outcome

MACHINE = {"processor": "Example 1", "cores": 2, "torch": "2"}
ASKED = {"prompts": 8, "seeds": 3, "truth_pictures": 40}


def test_the_page_says_what_was_measured() -> None:
    assert PAGE.read_text("utf-8") == page(json.loads(RESULTS.read_text("utf-8"))), (
        "python -m benchmarks.choice final --work FOLDER --page"
    )


def test_the_results_are_those_of_the_design() -> None:
    results = json.loads(RESULTS.read_text("utf-8"))
    names = [spec.name for spec in SETS[results["set"]]]
    judged = [run["run"] for run in results["runs"]]

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


def test_a_set_tells_with_which_commit_it_was_begun_and_by_which_it_was_judged() -> None:
    results = document([outcome(2)], MACHINE, ASKED, "fourth", Commits("abc1234", "def5678"))

    assert "begun (commit abc1234)." in page(results)
    assert "judged (commit def5678)" in page(results)
    assert "`FOURTH` in" in page(results)
    assert "Judged again" not in page(results)


def test_how_many_pictures_truth_and_choice_are_of_is_told() -> None:
    first, more = outcome(2), outcome(1)
    more = replace(more, chosen=replace(more.chosen, seeds=9))
    asked = {"prompts": 8, "seeds": 3, "truth_pictures": 40, "most_truth_pictures": 320}
    text = page(document([first, more], MACHINE, asked, "fifth", Commits("abc1234", "def5678")))

    assert "40 to 320 pictures an epoch" in text
    assert "In 1 run that did not tell, and prompts with the trigger were drawn from up to 9." in text
    assert "drawn from up to" not in page(document([first], MACHINE, ASKED))
    as_at_first = replace(first, chosen=replace(first.chosen, seeds=3))
    assert "None of these runs needed more to tell." in page(document([as_at_first], MACHINE, ASKED))


def test_the_same_choice_judged_again_stands_beside_the_first_judgement() -> None:
    results = document([outcome(1), outcome(1, "tied")], MACHINE, ASKED)
    results["runs"][1]["run"] = "two"
    truths = [of_score(epoch, score) for epoch, score in ((1, 0.79), (2, 0.8), (3, 0.2))]
    results["again"] = judged_again(results["runs"], {"one": truths, "two": truths})
    text = page(results)

    assert results["again"]["within_5_percent_by_rule"][CHOSEN] == 2
    assert "By this truth 2 of 2 recommended epochs are within 5 % of the best one's score, 1 of 1\n  ties." in text
    assert "| one | 0.79, 0.80, 0.20 | 2 | epoch 1 | 0.250 | 0.988 |" in text


def test_runs_that_were_not_drawn_again_are_left_out_of_the_second_judgement() -> None:
    found = judged_again(document([outcome(1)], MACHINE, ASKED)["runs"], {"one": ()})

    assert found["runs"] == {}


def of_score(epoch: int, score: float) -> EpochTruth:
    ones = (1.0,) * 20
    return EpochTruth(epoch, (score,) * 20, ones, ones, (0.0,) * 20)

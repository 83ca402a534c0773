"""What recommended epochs are worth beside the best ones."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.choice.outcome import CHOSEN, LAST, TRAINING_LOSS, VALIDATION_LOSS, Chosen, Outcome, reliability, totals


def outcome(
    epoch: int | None = 2, verdict: str = "good", kind: str = "ordinary", truth: tuple[float, ...] = (0.2, 0.8, 0.6)
) -> Outcome:
    return Outcome(
        name="one",
        kind=kind,
        chosen=Chosen(verdict, epoch, (), 0.9, ""),  # type: ignore[arg-type]
        truth=dict(enumerate(truth, start=1)),
        training_loss={1: 0.3, 2: 0.2, 3: 0.1},
        validation_loss={1: 0.1, 2: 0.2, 3: 0.3},
    )


def test_each_rule_takes_its_own_epoch() -> None:
    one = outcome()

    assert [one.epoch_by(rule) for rule in (CHOSEN, LAST, TRAINING_LOSS, VALIDATION_LOSS)] == [2, 3, 3, 1]
    assert one.ratio(LAST) == pytest.approx(0.75)


def test_an_epoch_within_five_percent_of_the_best_is_close() -> None:
    assert outcome(1, truth=(0.76, 0.8)).is_close
    assert not outcome(1, truth=(0.75, 0.8)).is_close


def test_a_run_without_a_recommended_epoch_counts_as_a_miss() -> None:
    found = totals([outcome(), outcome(None, "unsure")])

    assert (found["within_5_percent"], found["unsure"]) == (1, 1)
    assert found["mean_score"][CHOSEN] == pytest.approx(0.4)


def test_a_tie_is_judged_by_the_epoch_that_it_says_to_take() -> None:
    found = totals([outcome(2, "tied"), outcome(3, "tied"), outcome(3)])

    assert (found["tied"], found["tied_within_5_percent"]) == (2, 1)


def test_the_error_of_a_ratio_is_that_of_the_draws_of_both() -> None:
    draws = {1: np.array([0.1, 0.3]), 2: np.array([0.8, 0.8]), 3: np.array([0.6, 0.6])}
    one = replace(outcome(1), truth_draws=draws)

    assert one.ratio_error == pytest.approx(0.125)
    assert replace(outcome(2), truth_draws=draws).ratio_error == 0.0
    assert outcome(1).ratio_error == 0.0


def test_runs_are_grouped_by_what_was_told() -> None:
    sure, less = outcome(2), replace(outcome(1), chosen=replace(outcome(1).chosen, confidence=0.5))

    assert reliability([sure, sure, less]) == [
        {"from": 0.0, "to": 0.6, "runs": 1, "told": 0.5, "close": 0},
        {"from": 0.9, "to": 1.0, "runs": 2, "told": 0.9, "close": 2},
    ]


@pytest.mark.parametrize(
    ("kind", "verdict", "named"),
    [
        ("burnt", "burnt", True),
        ("burnt", "good", False),
        ("no_trigger", "burnt", False),
        ("good", "tied", True),
        ("good", "underfit", False),
        ("ordinary", "burnt", True),
    ],
)
def test_runs_made_to_be_bad_are_to_be_named_and_good_ones_not(kind: str, verdict: str, named: bool) -> None:
    assert outcome(kind=kind, verdict=verdict).is_named is named

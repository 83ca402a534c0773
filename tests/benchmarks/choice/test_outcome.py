"""What recommended epochs are worth beside the best ones."""

import pytest

from benchmarks.choice.outcome import CHOSEN, LAST, TRAINING_LOSS, VALIDATION_LOSS, Chosen, Outcome, totals


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
    assert found["mean_score"][CHOSEN] == pytest.approx(0.4)  # type: ignore[index]


def test_a_tie_is_judged_by_the_epoch_that_it_says_to_take() -> None:
    found = totals([outcome(2, "tied"), outcome(3, "tied"), outcome(3)])

    assert (found["tied"], found["tied_within_5_percent"]) == (2, 1)


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

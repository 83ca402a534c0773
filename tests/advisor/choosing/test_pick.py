import pytest

from advisor.choosing.averages import Averages
from advisor.choosing.pick import LIKELY, Pick, latest, pick, with_neighbours, within_margin
from advisor.choosing.standing import Standing, standings
from tests.support.score_tables import WITH_TRIGGER, Curves, score_table


def of(*likeness: float, noise: float = 0.01, **others: list[float]) -> tuple[Standing, ...]:
    curves: Curves = {"likeness": likeness, **others}  # type: ignore[dict-item]
    return standings(Averages.of(score_table(curves, noise=noise), WITH_TRIGGER))


def picked(*likeness: float, noise: float = 0.01, **others: list[float]) -> Pick:
    return pick(with_neighbours(of(*likeness, noise=noise, **others)))


def test_of_epochs_that_are_likely_as_good_the_earliest_is_taken() -> None:
    found = picked(0.5, 0.8, 0.8, 0.8)

    assert found.taken.epoch == 3
    assert found.tied == (3, 4)


def test_a_clearly_better_epoch_is_taken_however_late() -> None:
    found = picked(0.3, 0.5, 0.7, 0.9)

    assert found.taken.epoch == 4
    assert found.tied == (4,)
    assert found.runner_up == 3
    assert found.confidence > 0.95


def test_what_falls_again_is_not_taken() -> None:
    assert picked(0.3, 0.6, 0.85, 0.6, 0.3).tied == (3,)


def test_two_epochs_that_cannot_be_told_apart_are_not_thereby_as_good() -> None:
    found = with_neighbours(of(0.5, 0.8, noise=0.3))
    chances = within_margin(found)

    assert 0 < chances[1, 1.0] < LIKELY
    assert pick(found).tied == (2,)


def test_without_an_epoch_that_is_likely_as_good_the_likeliest_is_taken() -> None:
    found = picked(0.4, 0.8, 0.8, 0.82, 0.8, 0.82, 0.83, noise=0.2)

    assert found.confidence < LIKELY
    assert found.tied == (found.taken.epoch,)


def test_the_latest_stands_in_for_the_one_that_was_picked() -> None:
    given = with_neighbours(of(0.1, 0.04, 0.05, 0.04))
    found = latest(given, pick(given))

    assert (found.taken.epoch, found.tied, found.runner_up) == (4, (4,), 1)
    assert found.confidence < pick(given).confidence


def test_obedience_counts_as_much_as_likeness() -> None:
    assert picked(0.6, 0.7, 0.8, 0.9).taken.epoch == 4
    assert picked(0.6, 0.7, 0.8, 0.9, obedience=[1.0, 1.0, 1.0, 0.4]).taken.epoch == 3


def test_what_changes_without_the_trigger_counts_as_much_as_likeness() -> None:
    assert picked(0.6, 0.7, 0.8, 0.9, leak=[0.1, 0.1, 0.1, 0.6]).taken.epoch == 3


def test_likeness_is_judged_with_the_neighbours() -> None:
    """One that stands out alone did so by chance: its neighbours have nearly the same weights."""
    worth = [one.worth[0] for one in with_neighbours(of(0.4, 0.4, 0.8, 0.4, 0.4, noise=0.0))]

    assert worth == pytest.approx([0.4, 0.5, 0.6, 0.5, 0.4])


def test_what_is_left_of_everything_else_is_judged_epoch_by_epoch() -> None:
    """An epoch that loses more than those beside it does so in earnest, and they lose nothing by it."""
    leak = [0.1, 0.1, 0.5, 0.1, 0.1]
    found = with_neighbours(of(*[0.8] * 5, noise=0.0, leak=leak))

    assert [one.worth[0] for one in found] == pytest.approx([0.8 * (1 - each) for each in leak])


def test_the_likeness_that_is_told_stays_the_epoch_s_own() -> None:
    assert [one.likeness[0] for one in with_neighbours(of(0.4, 0.8, noise=0.0))] == pytest.approx([0.4, 0.8])


def test_obeying_better_than_the_base_model_makes_up_for_nothing() -> None:
    assert picked(0.8, 0.7, obedience=[1.0, 1.4]).taken.epoch == 1


def test_no_likeness_at_all_is_worth_nothing_and_less_than_none_no_less() -> None:
    assert [one.worth[0] for one in of(-0.4, -0.2)] == [0.0, 0.0]


def test_confidence_falls_with_noise() -> None:
    sure, unsure = picked(0.5, 0.6, 0.7, 0.75), picked(0.5, 0.6, 0.7, 0.75, noise=0.3)

    assert sure.confidence > 0.9
    assert unsure.confidence < sure.confidence


def test_confidence_allows_for_measures_that_drift_from_the_truth() -> None:
    """Without any noise of the pictures two epochs that are 2 % apart are not sure to be."""
    near, far = picked(0.5, 0.78, 0.80, 0.80, noise=0.0), picked(0.2, 0.3, 0.5, 0.9, noise=0.0)

    assert near.confidence < 0.95
    assert far.confidence == 1.0


def test_a_single_epoch_is_taken_and_has_no_runner_up() -> None:
    found = picked(0.7)

    assert (found.taken.epoch, found.tied, found.runner_up, found.confidence) == (1, (1,), None, 1.0)


def weighted(by_weight: dict[float, list[float]], noise: float = 0.01) -> Pick:
    pictures = [
        one
        for weight, likeness in by_weight.items()
        for one in score_table({"likeness": likeness}, noise=noise, weight=weight)
    ]
    return pick(with_neighbours(standings(Averages.of(pictures, WITH_TRIGGER))))


def test_the_usual_weight_is_taken_where_it_is_as_good() -> None:
    found = weighted({0.6: [0.4, 0.8], 1.0: [0.5, 0.8]})

    assert (found.taken.epoch, found.taken.weight) == (2, 1.0)


def test_another_weight_is_taken_where_it_is_better() -> None:
    found = weighted({0.6: [0.5, 0.9], 1.0: [0.6, 0.4]})

    assert (found.taken.epoch, found.taken.weight) == (2, 0.6)


@pytest.mark.parametrize("weights", [(0.8, 1.2), (0.6, 1.0)])
def test_ties_are_those_of_one_weight(weights: tuple[float, float]) -> None:
    found = weighted({weights[0]: [0.8, 0.8], weights[1]: [0.8, 0.8]})

    assert found.tied == (1, 2)
    assert found.taken.weight in weights

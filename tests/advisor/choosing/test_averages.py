import math

import pytest

from advisor.choosing.averages import Averages, Unasked
from advisor.choosing.cells import Interval, MeasureName, PictureScores


def picture(epoch: int, prompt: int, seed: int, **values: float) -> PictureScores:
    return PictureScores(epoch, 1.0, prompt, seed, values)  # type: ignore[arg-type]


def value(averages: Averages, measure: MeasureName, epoch: int) -> float:
    found = averages.get(measure, (epoch, 1.0))
    assert found is not None
    return found[0]


def test_likeness_counts_with_the_trigger_and_leak_without_it() -> None:
    averages = Averages.of(
        [picture(1, 0, 7, likeness=0.8, leak=0.9), picture(1, 1, 7, likeness=0.1, leak=0.2)], with_trigger={0}
    )

    assert value(averages, "likeness", 1) == 0.8
    assert value(averages, "leak", 1) == 0.2
    assert averages.by_figure["likeness_unasked"][1, 1.0][0] == 0.1


def test_where_no_prompt_has_the_trigger_all_ask_for_what_was_learned() -> None:
    averages = Averages.of([picture(1, 0, 7, likeness=0.8), picture(1, 1, 7, likeness=0.6)], with_trigger=())

    assert value(averages, "likeness", 1) == pytest.approx(0.7)


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_value_that_is_no_number_is_left_out_at_every_epoch(broken: float) -> None:
    """Else one epoch would be judged by easier pictures than the other."""
    averages = Averages.of(
        [
            picture(1, 0, 7, likeness=0.2), picture(1, 0, 8, likeness=0.4), picture(1, 0, 9, likeness=0.6),
            picture(2, 0, 7, likeness=0.2), picture(2, 0, 8, likeness=0.4), picture(2, 0, 9, likeness=broken),
        ],
        with_trigger={0},
    )  # fmt: skip

    assert value(averages, "likeness", 1) == pytest.approx(0.3)
    assert value(averages, "likeness", 2) == pytest.approx(0.3)
    assert averages.num_pictures == 2


def test_an_epoch_with_few_pictures_is_not_compared_and_costs_the_others_none() -> None:
    full = [picture(epoch, 0, seed, likeness=0.5) for epoch in (1, 2) for seed in range(8)]
    averages = Averages.of([*full, picture(3, 0, 0, likeness=0.9)], with_trigger={0})

    assert averages.keys == ((1, 1.0), (2, 1.0))
    assert averages.num_pictures == 8


def test_epochs_without_a_common_place_are_not_compared() -> None:
    averages = Averages.of([picture(1, 0, 7, likeness=0.5), picture(2, 0, 8, likeness=0.6)], with_trigger={0})

    assert averages.keys == ()


def test_the_base_model_s_own_scores_are_kept_and_it_is_no_epoch_to_take() -> None:
    base = PictureScores(0, 0.0, 0, 7, {"likeness": 0.0, "variety": 0.3})
    averages = Averages.of([base, picture(1, 0, 7, likeness=0.5)], with_trigger={0})

    assert averages.keys == ((1, 1.0),)
    assert averages.epoch_scores()[0].scores["variety"] == Interval(0.3, 0.3, 0.3)


def test_seeds_that_no_two_prompts_share_are_drawn_for_each_prompt_apart() -> None:
    """Of two prompts with two pictures each, every draw then has two pictures for each prompt that is in it."""
    unlike = {(0, 7): 0.0, (0, 8): 0.0, (1, 9): 1.0, (1, 10): 1.0}
    apart = [picture(1, prompt, seed, likeness=value) for (prompt, seed), value in unlike.items()]
    shared = [picture(1, prompt, seed - 2 * prompt, likeness=value) for (prompt, seed), value in unlike.items()]

    for pictures in (apart, shared):
        drawn = Averages.of(pictures, with_trigger={0, 1}).get("likeness", (1, 1.0))
        assert drawn is not None
        assert set(drawn) == {0.0, 0.5, 1.0}


def test_nothing_measured_gives_no_scores() -> None:
    averages = Averages.of([], with_trigger={0})

    assert averages.keys == ()
    assert averages.epoch_scores() == ()


@pytest.mark.parametrize(
    ("measure", "unasked"),
    [("likeness", "likeness_unasked"), ("obedience", "obedience_unasked"), ("damage", "damage_unasked")],
)
def test_without_the_trigger_these_are_figures_of_their_own(measure: MeasureName, unasked: Unasked) -> None:
    averages = Averages.of([picture(1, 0, 7, **{measure: 0.9}), picture(1, 1, 7, **{measure: 0.4})], with_trigger={0})

    assert value(averages, measure, 1) == 0.9
    assert averages.by_figure[unasked][1, 1.0][0] == 0.4


def test_one_prompt_of_three_that_calls_the_character_by_itself_is_not_most_of_the_leak() -> None:
    pictures = [picture(1, 0, 7, likeness=0.8), *(picture(1, number, 7, leak=leak) for number, leak in LEAKS.items())]
    averages = Averages.of(pictures, with_trigger={0})

    assert value(averages, "leak", 1) == pytest.approx(0.15)


@pytest.mark.parametrize(("measure", "figure"), [("likeness", "likeness_unasked"), ("damage", "damage_unasked")])
def test_the_worst_of_three_prompts_without_the_trigger_is_left_out(measure: str, figure: Unasked) -> None:
    pictures = [picture(1, 0, 7, likeness=0.8)]
    pictures += [picture(1, number, 7, **{measure: value}) for number, value in LEAKS.items()]

    assert Averages.of(pictures, with_trigger={0}).by_figure[figure][1, 1.0][0] == pytest.approx(0.15)


def test_of_obedience_the_least_is_the_worst() -> None:
    pictures = [picture(1, 0, 7, likeness=0.8)]
    pictures += [picture(1, number, 7, obedience=obeys) for number, obeys in {1: 0.2, 2: 0.8, 3: 1.0}.items()]

    assert Averages.of(pictures, with_trigger={0}).by_figure["obedience_unasked"][1, 1.0][0] == pytest.approx(0.9)


def test_of_two_prompts_none_is_left_out() -> None:
    pictures = [picture(1, 0, 7, likeness=0.8), picture(1, 1, 7, leak=0.1), picture(1, 2, 7, leak=0.3)]

    assert value(Averages.of(pictures, with_trigger={0}), "leak", 1) == pytest.approx(0.2)


LEAKS = {1: 0.1, 2: 0.2, 3: 1.2}


def test_what_comes_unasked_is_that_of_the_prompt_with_least_of_it() -> None:
    pictures = [picture(1, 0, 7, likeness=0.8), picture(1, 1, 7, likeness=0.7), picture(1, 2, 7, likeness=0.1)]

    assert Averages.of(pictures, with_trigger={0}).least_unasked[1, 1.0][0] == 0.1


def test_of_a_single_prompt_without_the_trigger_nothing_is_said_of_what_comes_unasked() -> None:
    pictures = [picture(1, 0, 7, likeness=0.8), picture(1, 1, 7, likeness=0.7)]

    assert Averages.of(pictures, with_trigger={0}).least_unasked == {}

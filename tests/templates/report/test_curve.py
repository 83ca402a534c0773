from __future__ import annotations

import random
from collections.abc import Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from advisor.run_folder.events import StepDone, Validated
from templates.report.axes import MOST_TICKS
from templates.report.curve import (
    MOST_EPOCH_MARKS,
    curve_of,
    held_out_sentence,
    loss_chart,
    loss_sentence,
    rate_chart,
)


def steps(losses: Iterable[float], *, per_epoch: int = 10) -> list[StepDone]:
    return [StepDone(step=n + 1, loss=loss, epoch=n // per_epoch + 1) for n, loss in enumerate(losses)]


def noisy(means: Iterable[float], noise: float = 0.1) -> list[float]:
    dice = random.Random(7)
    return [mean + dice.gauss(0, noise) for mean in means]


def test_after_a_resume_the_curve_goes_on_from_the_step_that_was_taken_up() -> None:
    chart = loss_chart(curve_of([StepDone(step=step, loss=1.0) for step in (1, 2, 3, 4, 3, 4, 5)]))

    assert chart is not None
    assert chart.last_step == 5
    assert len(chart.lines[0].points.split()) == 5


def test_a_resumed_curve_forgets_the_steps_that_were_made_again() -> None:
    before = [StepDone(step=1, loss=1.0), StepDone(step=2, loss=1.0), StepDone(step=3, loss=99.0)]
    resumed = [StepDone(step=3, loss=1.0), StepDone(step=4, loss=0.0)]

    chart = loss_chart(curve_of([*before, *resumed]))

    assert chart is not None
    assert (chart.down.lowest, chart.down.highest) == (0.95, 1.0)


def test_nothing_trained_draws_no_curve() -> None:
    assert loss_chart(curve_of([StepDone(step=1, loss=None)])) is None


def test_start_and_end_are_means_of_a_tenth_each_and_a_fall_is_told() -> None:
    sentence = loss_sentence(curve_of(steps(noisy([1.0] * 100 + [0.5] * 100))))

    assert "On average 0.9869 over the first 20 steps and 0.5060 over the last 20: it fell by 49 %." in sentence
    assert "differ by about 0.1" in sentence


def test_one_lucky_step_is_no_fall() -> None:
    """The least smoothed loss, which stood there as the end before, is one by chance."""
    losses = noisy([0.5] * 200)
    losses[120] = 0.001

    assert "no difference that chance alone would not make" in loss_sentence(curve_of(steps(losses)))


def test_a_rise_is_told_as_one() -> None:
    assert "it rose by" in loss_sentence(curve_of(steps(noisy([0.5] * 100 + [1.0] * 100))))


def test_of_few_steps_nothing_is_claimed() -> None:
    assert (
        loss_sentence(curve_of(steps([1.0] * 19)))
        == "19 steps are too few to tell a change of the loss from its noise."
    )


def test_the_axes_have_round_numbers() -> None:
    chart = loss_chart(curve_of(steps([1.0, *([0.6] * 400)])))

    assert chart is not None
    assert [tick.label for tick in chart.left] == ["0.70", "0.80", "0.90", "1.00"]
    assert [tick.label for tick in chart.steps] == ["100", "200", "300", "400"]
    assert chart.left[-1].percent == pytest.approx(3)  # the top


def test_epochs_are_marked_where_they_end() -> None:
    chart = loss_chart(curve_of(steps([1.0, 0.5] * 15 + [1.0])))

    assert chart is not None
    assert [tick.label for tick in chart.epochs] == ["1", "2", "3"]
    assert chart.epochs[0].percent == pytest.approx(30)


def test_of_many_epochs_some_are_marked() -> None:
    chart = loss_chart(curve_of(steps([1.0, 0.5] * 150, per_epoch=5)))

    assert chart is not None
    assert [tick.label for tick in chart.epochs][:3] == ["5", "10", "15"]
    assert len(chart.epochs) <= MOST_EPOCH_MARKS


def test_what_is_no_training_s_is_left_out() -> None:
    curve = curve_of([StepDone(step=2**53, loss=1.0), StepDone(step=1, loss=1e300)])

    assert curve.made == ()


@example([2e-6, 0.0])
@given(st.lists(st.floats(-1e30, 1e30), min_size=2, max_size=60))
def test_any_losses_are_drawn_within_the_box(losses: list[float]) -> None:
    curve = curve_of(steps(losses))
    chart = loss_chart(curve)

    assert chart is not None
    assert 1 <= len(chart.left) <= MOST_TICKS
    assert len({tick.label for tick in chart.left}) == len(chart.left)
    assert all(-1e-6 <= tick.percent <= 100 + 1e-6 for tick in (*chart.left, *chart.steps, *chart.epochs))
    for point in chart.lines[0].points.split():
        right, down = map(float, point.split(","))
        assert 0 <= right <= 600
        assert 0 <= down <= 160
    assert loss_sentence(curve)


def validations(losses: Iterable[float]) -> list[Validated]:
    return [Validated(step=10 * n, epoch=n, loss=loss) for n, loss in enumerate(losses, 1)]


def test_the_loss_on_held_out_pictures_is_a_second_line_within_the_same_axes() -> None:
    chart = loss_chart(curve_of([*steps([1.0] * 30), *validations([3.0, 2.0, 2.5])]))

    assert chart is not None
    assert [line.name for line in chart.lines] == ["training, smoothed", "held-out pictures"]
    assert (chart.down.lowest, chart.down.highest) == (1.0, 3.0)
    assert len(chart.lines[1].dots) == 3


def test_where_nothing_was_held_out_there_is_one_line_and_no_sentence() -> None:
    curve = curve_of(steps([1.0] * 30))
    chart = loss_chart(curve)

    assert chart is not None
    assert len(chart.lines) == 1
    assert held_out_sentence(curve) == ""


def test_the_lowest_loss_on_held_out_pictures_is_told_with_its_epoch() -> None:
    sentence = held_out_sentence(curve_of([*steps([1.0] * 30), *validations([3.0, 2.0, 2.5])]))

    assert sentence == "On held-out pictures it was lowest after epoch 2 (2.0000; 2.5000 at the end)."


def test_a_resumed_training_forgets_the_validations_that_were_made_again() -> None:
    events: list[StepDone | Validated] = [*steps([1.0] * 30), *validations([3.0, 0.1])]
    events += validations([3.0, 2.0, 2.5])[1:]

    assert [event.loss for event in curve_of(events).validated] == [3.0, 2.0, 2.5]


def test_rates_that_change_have_a_chart_and_constant_ones_none() -> None:
    falling = [StepDone(step=n, loss=1.0, unet_learning_rate=1e-4 / n) for n in range(1, 5)]
    constant = [StepDone(step=n, loss=1.0, unet_learning_rate=1e-4) for n in range(1, 5)]

    chart = rate_chart(curve_of(falling))
    assert chart is not None
    assert [line.name for line in chart.lines] == ["U-Net"]
    assert "e-5" in chart.left[1].label
    assert rate_chart(curve_of(constant)) is None
    assert rate_chart(curve_of([StepDone(step=n, loss=1.0) for n in (1, 2)])) is None


@pytest.mark.parametrize("rates", [(0.0, 5e-324), (1e-310, 2e-310), (-1e30, 1e30)])
def test_rates_that_no_training_has_are_drawn_all_the_same(rates: tuple[float, float]) -> None:
    chart = rate_chart(curve_of([StepDone(step=n, loss=1.0, unet_learning_rate=rates[n]) for n in (0, 1)]))

    assert chart is not None
    assert all(0 <= tick.percent <= 100 for tick in chart.left)

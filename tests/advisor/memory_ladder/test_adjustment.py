from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.memory_ladder.adjustment import Trial, adjustments, nothing_left, parts_of, settings_of
from advisor.memory_ladder.rungs import Situation
from tests.advisor.memory_ladder.test_rungs import situation
from tests.support.factories import make_plan_config

GIB = 2**30


def trial(measured_gib: float | None, *, free_gib: float = 7.5, case: Situation | None = None, **more: Any) -> Trial:
    measured = None if measured_gib is None else int(measured_gib * GIB)
    return Trial(case or situation(make_plan_config(vram_gib=8)), int(free_gib * GIB), measured, **more)


def batch_of(number: int, **chosen: Any) -> Situation:
    return situation(make_plan_config(vram_gib=8, settings={"schedule.batch_size": number}), **chosen)


def test_a_plan_that_fits_with_little_to_spare_stays_as_it_is() -> None:
    case = batch_of(4)
    own = case.predicted_bytes - case.overhead_bytes

    tried = Trial(case, case.predicted_bytes + GIB // 2, own)

    assert tried.fits
    assert adjustments(tried) == ()


def test_where_it_ran_out_the_plan_goes_down_the_ladder() -> None:
    steps = adjustments(trial(None))

    assert steps[0].rung == "checkpointing"
    assert steps[0].cause == "Measured: memory ran out, with 7.5 GiB free at the start."
    assert settings_of(steps)["memory.gradient_checkpointing"] is True


def test_it_goes_down_as_far_as_the_measured_need_says() -> None:
    case = batch_of(4)
    more = Trial(case, case.predicted_bytes, int(1.2 * case.predicted_bytes))

    steps = adjustments(more)

    assert not more.fits
    assert [step.rung for step in steps] == ["checkpointing"]
    assert more.seen.startswith("Measured: it needs about")


def test_more_than_is_free_does_not_fit_even_where_nothing_ran_out() -> None:
    assert adjustments(trial(9.0))


def accumulated(**fields: Any) -> Situation:
    batch = {"schedule.batch_size": 1, "schedule.gradient_accumulation": 4}
    return situation(make_plan_config(vram_gib=8, settings=batch), **fields)


def test_where_much_is_left_more_pictures_at_once_make_the_same_steps() -> None:
    (step,) = adjustments(trial(2.0, free_gib=11, case=accumulated()))

    assert (step.rung, step.before, step.after) == (
        "larger_batch",
        {"schedule.batch_size": 1, "schedule.gradient_accumulation": 4},
        {"schedule.batch_size": 4, "schedule.gradient_accumulation": 1},
    )
    assert "of 11.0 GiB free" in step.message
    assert step.saved_bytes < 0
    assert step.price == "the same steps, and one takes about as long (at most 75 % less time)"
    assert step.slowdown == 1.0  # of a card whose speed is not known


def test_a_step_is_not_made_larger() -> None:
    assert adjustments(trial(2.0, free_gib=11, case=batch_of(2))) == ()


@pytest.mark.parametrize("path", ["schedule.batch_size", "schedule.gradient_accumulation"])
def test_a_chosen_batch_is_not_enlarged(path: str) -> None:
    assert adjustments(trial(2.0, free_gib=11, case=accumulated(chosen=frozenset({path})))) == ()


def test_a_batch_made_up_of_smaller_ones_is_not_enlarged_nor_a_processors() -> None:
    assert adjustments(trial(2.0, free_gib=11, case=accumulated(batch_parts=2))) == ()
    assert adjustments(trial(2.0, free_gib=11, case=accumulated(), on_cpu=True)) == ()


def test_where_only_choices_are_left_they_are_named() -> None:
    config = make_plan_config(vram_gib=8, settings={"memory.gradient_checkpointing": True, "schedule.batch_size": 1})
    stuck = trial(None, case=situation(config, chosen=frozenset({"dataset.resolution_px"})))

    assert adjustments(stuck) == ()
    assert "dataset.resolution_px 448" in nothing_left(stuck)


def test_the_parts_of_a_batch_are_told_apart_from_settings() -> None:
    steps = adjustments(trial(None, free_gib=3.2, case=batch_of(4)))

    assert parts_of(steps, 1) > 1
    assert "batch_parts" not in settings_of(steps)
    assert parts_of((), 3) == 3


@settings(max_examples=60)
@given(
    measured=st.none() | st.floats(1, 20),
    free=st.floats(2, 24),
    batch=st.integers(1, 4),
    family=st.sampled_from(["sd1", "sdxl"]),
)
def test_what_it_advises_fits_by_what_was_measured_or_nothing_is_left(
    measured: float | None, free: float, batch: int, family: str
) -> None:
    config = make_plan_config(vram_gib=12, family=family, settings={"schedule.batch_size": batch})
    tried = trial(measured, free_gib=free, case=situation(config, family))

    steps = adjustments(tried)

    saved = sum(step.saved_bytes for step in steps)
    assert (saved >= 0) is not any(step.rung == "larger_batch" for step in steps)
    if steps and tried.fits:
        assert tried.needed_bytes - saved <= tried.free_bytes

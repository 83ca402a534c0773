from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.machine.driver_spill import CAP_MARGIN_BYTES, TimedStep, cap_share, drivers_spill, times_slower

GIB = 2**30
SIZES = ((256, 256), (512, 512), (448, 576), (768, 512), (1024, 1024))


def steps(*seconds: float, pixels: int = 4 * 512 * 512) -> list[TimedStep]:
    return [TimedStep(each, pixels, 512 * 512) for each in seconds]


USUAL = [3.0, 1.2, 1.0] + [1.0] * 20


@pytest.mark.parametrize(
    ("system", "release", "spills"),
    [
        ("Windows", "11", True),
        ("Linux", "5.15.153.1-microsoft-standard-WSL2", True),
        ("Linux", "6.8.0-45-generic", False),
        ("Darwin", "23.6.0", False),
    ],
)
def test_windows_drivers_spill_and_so_they_do_under_wsl(system: str, release: str, spills: bool) -> None:
    assert drivers_spill(system, release) is spills


def test_the_limit_is_what_is_free_less_a_margin() -> None:
    assert cap_share(6 * GIB, 8 * GIB) == (6 * GIB - CAP_MARGIN_BYTES) / (8 * GIB)
    assert cap_share(0, 8 * GIB) == 0.0
    assert cap_share(0, 0) == 1.0


def test_steps_that_stay_many_times_slower_are_told() -> None:
    assert times_slower(steps(*USUAL, *[40.0] * 8)) == 40.0


def test_so_they_are_where_small_steps_between_them_still_fit() -> None:
    assert times_slower(steps(*USUAL, 40, 40, 1, 40, 40, 40, 1, 40)) == 40.0


def test_a_spill_from_the_first_step_on_shows_beside_the_predicted_time() -> None:
    slow = steps(*[60.0] * 12)

    assert times_slower(slow) is None
    assert times_slower(slow, predicted_seconds=1.5) == 40.0
    assert times_slower(slow, predicted_seconds=10.0) is None


@pytest.mark.parametrize(
    "last",
    [
        [600.0],  # the computer slept
        [40.0] * 4,  # a virus scanner
        [2.2] * 40,  # a laptop that got hot
        [4.5] * 40,
        [40.0] * 8 + [1.0] * 3,  # over again
    ],
)
def test_what_is_short_or_only_a_little_slower_is_not(last: list[float]) -> None:
    assert times_slower(steps(*USUAL, *last)) is None


def test_steps_that_take_no_time_are_not_worth_a_restart() -> None:
    assert times_slower(steps(*[0.02] * 20, *[0.4] * 8)) is None


def test_the_first_steps_are_never_judged() -> None:
    assert times_slower(steps(*[90.0] * 8), predicted_seconds=0.5) is None


def test_larger_pictures_may_take_longer_without_alarm() -> None:
    early = [TimedStep(1.0, 256 * 256, 256 * 256)] * 20

    assert times_slower([*early, *[TimedStep(90.0, 4 * 1024 * 1024, 1024 * 1024)] * 20]) is None


@settings(max_examples=300)
@given(data=st.data())
def test_no_ordinary_training_is_taken_for_a_spill(data: st.DataObject) -> None:
    """A fixed time, one that grows with the pixels and one with their square; jitter, a hot laptop and odd pauses."""
    fixed = data.draw(st.floats(0.01, 5))
    linear, square = data.draw(st.floats(0, 20)), data.draw(st.floats(0, 20))
    count = data.draw(st.integers(1, 60))
    kinds = data.draw(st.lists(st.tuples(st.sampled_from(SIZES), st.integers(1, 8)), min_size=count, max_size=count))
    hot = data.draw(st.integers(0, count))
    pauses = data.draw(st.sets(st.integers(0, count), max_size=2))
    made = []
    for number, ((width, height), pictures) in enumerate(kinds):
        area = width * height
        mega = area / 2**20
        seconds = fixed + pictures * (linear * mega + square * mega**2)
        seconds *= data.draw(st.floats(0.85, 1.2)) * (2 if number >= hot else 1)
        made.append(TimedStep(seconds + (300 if number in pauses else 0), pictures * area, area))
        assert times_slower(made) is None


@settings(max_examples=100)
@given(factor=st.floats(12, 300), usual=st.floats(0.9, 10), early=st.integers(13, 60))
def test_every_spill_of_a_dozen_times_is_found_within_eight_steps(factor: float, usual: float, early: int) -> None:
    made = steps(*[usual] * early, *[usual * factor] * 8)

    assert times_slower(made) == pytest.approx(factor)

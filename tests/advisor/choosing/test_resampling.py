import random
import statistics

import pytest

from advisor.choosing.cells import Interval
from advisor.choosing.resampling import Draws, combined, interval, share


def test_the_first_mean_is_that_of_the_pictures_as_they_are() -> None:
    draws = Draws.of(((0, 1),), ((7, 8),))

    assert draws.means({(0, 7): 1.0, (0, 8): 2.0, (1, 7): 3.0, (1, 8): 6.0})[0] == 3.0


def test_the_same_prompts_and_seeds_give_the_same_draws() -> None:
    assert Draws.of(((1, 0), (2,)), ((8, 7),)) == Draws.of(((0, 1), (2,)), ((7, 8),))


def test_a_difference_between_pictures_of_one_prompt_and_seed_has_an_error_of_its_own() -> None:
    """The prompts differ by much, but every one of them gains the same."""
    draws = Draws.of(((0, 1, 2, 3),), ((7, 8, 9),))
    before = {(prompt, seed): float(prompt * prompt) for prompt in range(4) for seed in (7, 8, 9)}
    after = {place: value + 0.5 for place, value in before.items()}

    gained = interval(combined(lambda one, other: one - other, draws.means(after), draws.means(before)))

    assert interval(draws.means(before)).high - interval(draws.means(before)).low > 4
    assert gained.low == pytest.approx(0.5)
    assert gained.high == pytest.approx(0.5)


def test_no_draw_lacks_a_kind_of_prompt() -> None:
    draws = Draws.of(((0,), (1, 2)), ((7,),))

    assert all(times[0] == 1 and times[1] + times[2] == 2 for times in draws.prompts)


def test_intervals_hold_the_true_mean_about_as_often_as_they_say() -> None:
    """Prompts and seeds that each shift their pictures, and noise; 95 in 100 are meant, and a few more are right."""
    rng, held = random.Random(3), 0
    for _ in range(100):
        prompts = [rng.gauss(0, 0.5) for _ in range(10)]
        seeds = [rng.gauss(0, 0.5) for _ in range(10)]
        values = {(p, s): prompts[p] + seeds[s] + rng.gauss(0, 0.5) for p in range(10) for s in range(10)}
        found = interval(Draws.of((range(10),), (range(10),), 200).means(values))
        held += found.low <= 0 <= found.high

    assert 86 <= held <= 100


def test_intervals_of_prompts_with_seeds_of_their_own_hold_the_true_mean_too() -> None:
    rng, held = random.Random(5), 0
    for _ in range(100):
        prompts = [rng.gauss(0, 0.5) for _ in range(10)]
        values = {(p, 10 * p + s): prompts[p] + rng.gauss(0, 0.7) for p in range(10) for s in range(3)}
        seeds = [[10 * p + s for s in range(3)] for p in range(10)]
        found = interval(Draws.of((range(10),), seeds, 200).means(values))
        held += found.low <= 0 <= found.high

    assert 88 <= held <= 100


def test_a_prompt_that_is_drawn_has_as_many_pictures_as_seeds_of_its_own() -> None:
    draws = Draws.of(((0, 1),), ((7, 8), (9, 10)))

    assert all(times[7] + times[8] == 2 == times[9] + times[10] for times in draws.seeds)
    assert len({times[7] for times in draws.seeds}) == 3


def test_an_interval_narrows_with_more_pictures() -> None:
    rng = random.Random(4)

    def width(seeds: int) -> float:
        values = {(p, s): rng.gauss(0, 1) for p in range(8) for s in range(seeds)}
        found = interval(Draws.of((range(8),), (range(seeds),)).means(values))
        return found.high - found.low

    assert width(32) < 0.6 * width(2)


def test_one_picture_has_an_interval_of_no_width() -> None:
    assert interval(Draws.of(((0,),), ((7,),)).means({(0, 7): 0.4})) == Interval(0.4, 0.4, 0.4)


def test_places_that_a_draw_has_none_of_count_as_they_are() -> None:
    draws = Draws.of(((0, 1),), ((7, 8),))

    found = draws.means({(0, 7): 1.0, (1, 8): 3.0})

    assert set(found) == {1.0, 2.0, 3.0}
    assert statistics.fmean(found) == pytest.approx(2.0, abs=0.1)


def test_a_share_is_that_of_the_draws_without_the_pictures_as_they_are() -> None:
    assert share((1.0, -1.0, -1.0, 2.0, -3.0), lambda value: value > 0) == 0.25

from __future__ import annotations

from dataclasses import replace

import pytest

from advisor.choosing.cells import MOST_SEEDS, Choice, Verdict
from advisor.choosing.further import Further, is_unsure
from advisor.choosing.pick import LIKELY

UNSURE = Choice("good", 3, 1.0, (3,), 4, None, LIKELY - 0.01, "Epoch 3")
GRID = Further(seeds=3, images_each=28, most_images=210)


@pytest.mark.parametrize("verdict", ["good", "tied", "unsure"])
def test_an_epoch_that_is_not_likely_the_right_one_is_worth_more_pictures(verdict: Verdict) -> None:
    assert is_unsure(replace(UNSURE, verdict=verdict))
    assert not is_unsure(replace(UNSURE, verdict=verdict, confidence=LIKELY))


@pytest.mark.parametrize("verdict", ["burnt", "underfit", "no_trigger"])
def test_what_is_to_be_trained_anew_is_not_drawn_on(verdict: Verdict) -> None:
    assert GRID.seeds_after(3, replace(UNSURE, verdict=verdict)) == 3


def test_without_a_choice_nothing_is_drawn_on() -> None:
    assert GRID.seeds_after(3, None) == 3


def test_seeds_are_doubled_until_as_much_is_drawn_as_may_be() -> None:
    assert GRID.seeds_after(3, UNSURE) == 6
    assert GRID.seeds_after(6, UNSURE) == 10
    assert (10 - 3) * GRID.images_each <= GRID.most_images < (11 - 3) * GRID.images_each
    assert GRID.seeds_after(10, UNSURE) == 10


def test_what_may_not_be_drawn_is_not() -> None:
    assert replace(GRID, most_images=27).seeds_after(3, UNSURE) == 3
    assert replace(GRID, most_images=0).seeds_after(3, UNSURE) == 3


def test_where_no_prompt_has_the_trigger_there_is_none_to_draw_on() -> None:
    assert replace(GRID, images_each=0).seeds_after(3, UNSURE) == 3


def test_no_prompt_has_more_seeds_than_there_are_between_two_prompts() -> None:
    assert replace(GRID, most_images=10**6).seeds_after(48, UNSURE) == MOST_SEEDS
    assert replace(GRID, most_images=10**6).seeds_after(MOST_SEEDS, UNSURE) == MOST_SEEDS

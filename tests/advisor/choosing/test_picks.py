from __future__ import annotations

import random
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.choosing.cells import Cell
from advisor.choosing.picks import (
    BlindPick,
    Candidate,
    Picked,
    candidates_of,
    next_pair,
    rank,
    session_length,
    strengths,
)
from tests.support.effort import at_most

A, B, C = (Candidate(epoch, 1.0) for epoch in (1, 2, 3))


def picks(*told: tuple[Candidate, Candidate, Picked], times: int = 1) -> list[BlindPick]:
    return [BlindPick(*one) for one in told] * times


def cells(epochs: int = 3, prompts: int = 2, seeds: int = 2) -> list[Cell]:
    """With the base model's, which nobody picks."""
    places = [(prompt, seed) for prompt in range(prompts) for seed in range(seeds)]
    return [Cell(epoch, 1.0 if epoch else 0.0, *place, "pictures/" + "0" * 64 + ".png")
            for epoch in range(epochs + 1) for place in places]  # fmt: skip


def test_who_is_taken_more_often_is_ranked_first() -> None:
    found = rank(picks((A, B, "right"), (C, B, "right"), (A, C, "right"), times=8), [A, B, C])

    assert [one.candidate for one in found.standings] == [B, C, A]
    assert found.favourite == B
    assert found.tied == ()
    assert found.confidence > 0.95
    assert [one.picks for one in found.standings] == [16, 16, 16]
    assert found.standings[0].share.low > 0.5 > found.standings[-1].share.high


def test_who_wins_as_often_as_they_lose_is_tied_with_the_favourite() -> None:
    found = rank(picks((A, B, "left"), (A, B, "right"), (A, C, "left"), (B, C, "left"), times=5), [A, B, C])

    assert found.favourite in (A, B)
    assert {found.favourite, *found.tied} == {A, B}


def test_a_pick_of_neither_is_half_a_win_for_both() -> None:
    both = strengths(picks((A, B, "equal"), times=9), [A, B])
    split = strengths(picks((A, B, "left"), (A, B, "right"), times=4), [A, B])

    assert both[A] == pytest.approx(both[B])
    assert both == pytest.approx(split)


def test_strengths_are_those_of_the_model() -> None:
    """Six wins and two losses, and half a win and half a loss beside an average one: the equations."""
    found = strengths(picks((A, B, "left"), times=6) + picks((A, B, "right"), times=2), [A, B])

    for one, wins in ((A, 6.5), (B, 2.5)):
        assert wins == pytest.approx(8 * found[one] / (found[A] + found[B]) + found[one] / (found[one] + 1), rel=1e-4)


def test_too_few_picks_name_nobody() -> None:
    found = rank(picks((A, B, "left"), times=9), [A, B, C])

    assert found.favourite is None
    assert found.num_picks == 9
    assert rank([], [A, B]).favourite is None
    assert rank([], [A]).favourite is None


def test_picks_of_loras_that_are_no_longer_there_do_not_count() -> None:
    found = rank(picks((A, B, "left"), (C, B, "left"), (A, A, "left")), [A, B])

    assert found.num_picks == 1


def test_the_base_model_is_never_shown_and_places_stay_the_same_on_both_sides() -> None:
    rng, made = random.Random(1), list[BlindPick]()
    for _ in range(60):
        pair = next_pair(cells(), made, rng)
        assert pair is not None
        assert pair.left.epoch != pair.right.epoch
        assert 0 not in (pair.left.epoch, pair.right.epoch)
        assert (pair.left.prompt, pair.left.seed) == (pair.right.prompt, pair.right.seed)
        left, right = (Candidate(cell.epoch, cell.weight) for cell in (pair.left, pair.right))
        made.append(BlindPick(left, right, "equal", (pair.left.prompt, pair.left.seed)))

    assert set(Counter(pick.pair for pick in made).values()) == {20}, (
        "all are as open, so that none is shown more often"
    )
    assert set(Counter((pick.pair, pick.place) for pick in made).values()) == {5}
    assert 15 < sum(pick.left < pick.right for pick in made) < 45


def test_near_ties_are_shown_more_often_than_what_is_clear() -> None:
    """The third loses always."""
    rng, made = random.Random(2), list[BlindPick]()
    for _ in range(60):
        pair = next_pair(cells(), made, rng)
        assert pair is not None
        left, right = (Candidate(cell.epoch, 1.0) for cell in (pair.left, pair.right))
        picked: Picked = "right" if left == C else "left" if right == C else rng.choice(("left", "right"))
        made.append(BlindPick(left, right, picked, (pair.left.prompt, pair.left.seed)))

    shown = Counter(pick.pair for pick in made)
    assert shown[A, B] > shown[A, C]
    assert shown[A, B] > shown[B, C]


def test_the_same_seed_shows_the_same_pairs() -> None:
    assert next_pair(cells(), [], random.Random(5)) == next_pair(cells(), [], random.Random(5))


def test_one_lora_alone_has_no_pairs() -> None:
    assert next_pair(cells(epochs=1), [], random.Random(0)) is None
    assert next_pair([], [], random.Random(0)) is None


def test_a_session_asks_for_a_few_picks_of_each() -> None:
    assert [session_length(number) for number in (2, 10)] == [6, 30]
    assert candidates_of(cells(epochs=2)) == (A, B)


@settings(deadline=None, max_examples=25)
@given(
    st.lists(
        st.tuples(st.sampled_from([A, B, C]), st.sampled_from([A, B, C]), st.sampled_from(["left", "right", "equal"]))
    )
)
def test_any_picks_have_a_ranking(told: list[tuple[Candidate, Candidate, Picked]]) -> None:
    found = rank(picks(*told), [A, B, C])

    assert len(found.standings) == 3
    for one in found.standings:
        assert 0 < one.share.low <= one.share.value <= one.share.high < 1
    assert 0 <= found.confidence <= 1
    assert found.favourite not in found.tied


def test_thousands_of_picks_among_a_hundred_are_ranked_in_seconds() -> None:
    many = [Candidate(epoch, 1.0) for epoch in range(1, 101)]
    picks = [BlindPick(a, b, "left") for a, b in combinations(many, 2)]

    with at_most(30):
        ranking = rank(picks, many)

    assert ranking.favourite == many[0]
    assert ranking.standings[0].picks == 99

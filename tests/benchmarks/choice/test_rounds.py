"""How many pictures a truth is of."""

from collections.abc import Sequence

import numpy as np

from benchmarks.choice.rounds import further_rounds, unclear
from benchmarks.choice.truth import MOST_PICTURES, PICTURES, EpochTruth, true_scores


def truth(epoch: int, identity: float, number: int = PICTURES, *, spread: float = 0.2, first: int = 0) -> EpochTruth:
    """Pictures that differ by chance, each epoch's by its own."""
    dice = np.random.default_rng([epoch, first])
    each = tuple(np.clip(identity + spread * dice.standard_normal(number), 0.0, 1.0).tolist())
    return EpochTruth(epoch, each, (1.0,) * number, (1.0,) * number, (0.0,) * number)


class Drawing:
    """Draws epochs of a known identity."""

    def __init__(self, identities: dict[int, float], spread: float = 0.2) -> None:
        self.identities, self.spread = identities, spread
        self.asked: list[tuple[tuple[int, ...], int, int]] = []

    def start(self) -> list[EpochTruth]:
        return [truth(epoch, value, spread=self.spread) for epoch, value in self.identities.items()]

    def __call__(self, epochs: Sequence[int], first: int, number: int) -> list[EpochTruth]:
        self.asked.append((tuple(epochs), first, number))
        return [truth(epoch, self.identities[epoch], number, spread=self.spread, first=first) for epoch in epochs]


def test_where_no_epoch_is_near_the_bound_nothing_more_is_drawn() -> None:
    drawing = Drawing({1: 0.2, 2: 0.5, 3: 0.5}, spread=0.0)

    assert unclear(drawing.start()) == ()
    assert list(further_rounds(drawing.start(), drawing)) == []


def test_an_epoch_near_the_bound_is_drawn_on_with_the_best_alone_until_enough_is_drawn() -> None:
    drawing = Drawing({1: 0.2, 2: 0.57, 3: 0.6})

    *_, last = further_rounds(drawing.start(), drawing)

    assert drawing.asked == [((2, 3), have, have) for have in (PICTURES, 2 * PICTURES)]
    assert [one.num_pictures[0] for one in last] == [PICTURES, MOST_PICTURES, MOST_PICTURES]
    assert true_scores(last)[1] < 0.3


def test_what_becomes_clear_is_not_drawn_on() -> None:
    drawing = Drawing({1: 0.2, 2: 0.3, 3: 0.6}, spread=0.02)
    looked_alike = [truth(1, 0.2), truth(2, 0.58), truth(3, 0.6)]

    (first,) = further_rounds(looked_alike, drawing)

    assert unclear(looked_alike) == (2, 3)
    assert unclear(first) == ()


def test_an_epoch_that_was_left_behind_is_drawn_up_to_the_others() -> None:
    """Epoch 1 was as good as the best, until others were drawn on and these fell behind it."""
    drawing = Drawing({1: 0.5, 2: 0.48, 3: 0.47})
    ahead = [truth(1, 0.6), *(truth(epoch, 0.6).with_further(truth(epoch, 0.4, first=1)) for epoch in (2, 3))]

    (first, *_) = further_rounds(ahead, drawing)

    assert unclear(ahead) == (1, 2, 3)
    assert drawing.asked[:2] == [((1,), PICTURES, 3 * PICTURES), ((2, 3), 2 * PICTURES, 2 * PICTURES)]
    assert {one.num_pictures for one in first} == {(4 * PICTURES, 4 * PICTURES)}


def test_a_run_that_is_worth_nothing_is_clear() -> None:
    assert unclear([truth(1, 0.0, spread=0.0), truth(2, 0.0, spread=0.0)]) == ()

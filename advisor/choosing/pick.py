"""Which epoch, at which weight: the earliest that is as good as the best.

An earlier epoch that is as good has moved the base model less, and is preferred for that. Of many epochs that differ by
chance the one that chance favours would be the best; so each is judged together with its neighbours.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from advisor.choosing.resampling import combined, interval, share
from advisor.choosing.standing import Standing

MARGIN = 0.05
"""An epoch that is worth less than the best by no more than this share of it is as good to its user."""
TIE_MARGIN = MARGIN / 5
"""So much less may be measured of one that is called as good: its true worth may be several times as much less."""
DRIFT = 0.05
"""By how much the measured worth of an epoch drifts from the true one until the next that is compared, as a standard
deviation of the logarithm: by trainings whose truth is known, so that `confidence` is as high as it should be."""
NEIGHBOUR = 0.5
"""How much the worth of an epoch before or after another counts beside its own: the two share most of their weights."""
USUAL_WEIGHT = 1.0
"""What user interfaces begin with; another weight is advised only where it is better."""


@dataclass(frozen=True)
class Pick:
    """One of several epochs at one weight."""

    taken: Standing
    """Its worth is that with its neighbours."""
    tied: tuple[int, ...]
    """The epochs that are as good as the best at this weight, the taken one first."""
    runner_up: int | None
    confidence: float
    """In which share of the draws the taken epoch is within MARGIN of the best of all, if what is measured drifts from
    the truth by DRIFT."""


def pick(given: Sequence[Standing]) -> Pick:
    """The epoch and weight to take of one or several."""
    standings = with_neighbours(given)
    best = _best(standings)
    usual = min({one.weight for one in standings}, key=lambda weight: (abs(weight - USUAL_WEIGHT), weight))
    of_usual = [one for one in standings if one.weight == usual]
    weight = usual if as_good(_best(of_usual), best) else best.weight
    here = [one for one in standings if one.weight == weight]
    tied = [one for one in here if as_good(one, _best(here))]
    others = [one for one in here if one.epoch != tied[0].epoch]
    return Pick(
        taken=tied[0],
        tied=tuple(one.epoch for one in tied),
        runner_up=_best(others).epoch if others else None,
        confidence=within_margin(tied[0], standings),
    )


def with_neighbours(standings: Sequence[Standing]) -> tuple[Standing, ...]:
    """The same, each one's worth averaged with that of the epochs before and after it at its weight."""
    return tuple(
        _with_neighbours(one, [other for other in standings if other.weight == one.weight]) for one in standings
    )


def _with_neighbours(one: Standing, in_order: Sequence[Standing]) -> Standing:
    number = in_order.index(one)
    beside = [*in_order[max(0, number - 1) : number], *in_order[number + 1 : number + 2]]
    total = 1 + NEIGHBOUR * len(beside)
    worth = combined(
        lambda own, *others: (own + NEIGHBOUR * sum(others)) / total, one.worth, *(other.worth for other in beside)
    )
    return replace(one, worth=worth)


def as_good(one: Standing, best: Standing) -> bool:
    """Whether the epoch cannot be told from the best and is worth no less than TIE_MARGIN under it."""
    difference = interval(combined(lambda other, own: other - own, best.worth, one.worth))
    return difference.low <= 0 and difference.value <= TIE_MARGIN * best.worth[0]


def within_margin(one: Standing, standings: Sequence[Standing]) -> float:
    """In which share of the draws an epoch is worth no less than MARGIN under the best."""
    number, epochs = standings.index(one), sorted({other.epoch for other in standings})
    rng, gaps = random.Random(0), list[float]()
    for worths in zip(*(other.worth for other in standings), strict=True):
        drifts = accumulate(rng.gauss(0, DRIFT) for _ in epochs)
        drifted = dict(zip(epochs, map(math.exp, drifts), strict=True))
        each = [worth * drifted[other.epoch] for worth, other in zip(worths, standings, strict=True)]
        gaps.append(each[number] - (1 - MARGIN) * max(each))
    return share(tuple(gaps), lambda gap: gap >= 0)


def _best(standings: Sequence[Standing]) -> Standing:
    """The one of most worth; of several the earliest."""
    return max(standings, key=lambda one: (one.worth[0], -one.epoch))

"""Which epoch, at which weight: the earliest that is likely as good as the best, or else the one that is so likeliest.

Of many epochs that differ by chance the one that chance favours would be the best; so each one's likeness, which errs
most, is taken together with its neighbours'. That two epochs cannot be told apart does not make them equal: an epoch is
called as good only where that itself is likely.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TypeAlias

from advisor.choosing.averages import Key
from advisor.choosing.resampling import combined, share
from advisor.choosing.standing import Standing, worth_of

MARGIN = 0.05
"""An epoch that is worth less than the best by no more than this share of it is as good to its user."""
LIKELY = 0.85
"""An epoch with this chance of being within MARGIN of the best is called as good. The first of three that are measured
as exactly the same has a little more, by DRIFT."""
AS_LIKELY_AS_NOT = 0.5
"""The usual weight is left where even its likeliest epoch has less of a chance than this."""
DRIFT = 0.03
"""By how much the measured worth of an epoch drifts from the true one until the next that is compared, as a standard
deviation of the logarithm: by trainings whose truth is known, so that `confidence` is as high as it should be."""
NEIGHBOUR = 0.5
"""How much the likeness of an epoch before or after another counts beside its own. The two share most of their weights,
and what an epoch makes of a few seeds is most of the error of all that is measured."""
USUAL_WEIGHT = 1.0
"""What user interfaces begin with; another weight is advised only where it is better."""

Chances: TypeAlias = Mapping[Key, float]
"""Of epochs at their weights."""


@dataclass(frozen=True)
class Pick:
    """One of several epochs at one weight."""

    taken: Standing
    """Its worth is by the likeness with its neighbours."""
    tied: tuple[int, ...]
    """The epochs that are likely as good as the best, the taken one first; none but it where no other is."""
    runner_up: int | None
    confidence: float
    """The chance of the taken epoch to be within MARGIN of the best of all: the share of the draws in which it is, if
    what is measured drifts from the truth by DRIFT."""


def pick(given: Sequence[Standing]) -> Pick:
    """The epoch and weight to take of one or several, whose worth is already by the likeness with
    their neighbours.
    """
    chances = within_margin(given)
    likeliest = _likeliest(given, chances)
    usual = min({one.weight for one in given}, key=lambda weight: (abs(weight - USUAL_WEIGHT), weight))
    of_usual = [chances[one.key] for one in given if one.weight == usual]
    weight = usual if max(of_usual) >= AS_LIKELY_AS_NOT else likeliest.weight
    here = [one for one in given if one.weight == weight]
    tied = [one for one in here if chances[one.key] >= LIKELY] or [_likeliest(here, chances)]
    return _picked(tied[0], tied, here, chances)


def latest(given: Sequence[Standing], picked: Pick) -> Pick:
    """The last epoch at the weight that was picked, in place of the picked one."""
    here = [one for one in given if one.weight == picked.taken.weight]
    return _picked(here[-1], here[-1:], here, within_margin(given))


def _picked(taken: Standing, tied: Sequence[Standing], here: Sequence[Standing], chances: Chances) -> Pick:
    others = [one for one in here if one is not taken]
    return Pick(
        taken=taken,
        tied=tuple(one.epoch for one in tied),
        runner_up=_likeliest(others, chances).epoch if others else None,
        confidence=chances[taken.key],
    )


def with_neighbours(standings: Sequence[Standing]) -> tuple[Standing, ...]:
    """The same, each worth what it were with its likeness averaged with that of the epochs before and after it at its
    weight.

    What is left of everything else is not averaged: it is known better, and from one epoch to the next it falls and
    rises in earnest.
    """
    return tuple(
        _with_neighbours(one, [other for other in standings if other.weight == one.weight]) for one in standings
    )


def _with_neighbours(one: Standing, in_order: Sequence[Standing]) -> Standing:
    number = in_order.index(one)
    beside = [*in_order[max(0, number - 1) : number], *in_order[number + 1 : number + 2]]
    total = 1 + NEIGHBOUR * len(beside)
    likeness = combined(
        lambda own, *others: (own + NEIGHBOUR * sum(others)) / total,
        one.likeness,
        *(other.likeness for other in beside),
    )
    return replace(one, worth=worth_of(likeness, one.spared))


def within_margin(standings: Sequence[Standing]) -> Chances:
    """In which share of the draws each is worth no less than MARGIN under the best."""
    epochs = sorted({one.epoch for one in standings})
    rng, gaps = random.Random(0), list[list[float]]()
    for worths in zip(*(one.worth for one in standings), strict=True):
        drifts = accumulate(rng.gauss(0, DRIFT) for _ in epochs)
        drifted = dict(zip(epochs, map(math.exp, drifts), strict=True))
        each = [worth * drifted[one.epoch] for worth, one in zip(worths, standings, strict=True)]
        gaps.append([worth - (1 - MARGIN) * max(each) for worth in each])
    return {
        one.key: share(own, lambda gap: gap >= 0) for one, own in zip(standings, zip(*gaps, strict=True), strict=True)
    }


def _likeliest(standings: Sequence[Standing], chances: Chances) -> Standing:
    """The one of most chance, of equals the one of most worth, and of these the earliest."""
    return max(standings, key=lambda one: (chances[one.key], one.worth[0], -one.epoch))

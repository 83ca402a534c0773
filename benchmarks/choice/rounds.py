"""How many pictures the truth of an epoch is of: by the truth alone, whatever was recommended.

Of every epoch as many are drawn first. Then, as long as it is not clear of some epoch of a run whether it is within
`CLOSE` of the best, it and the best are drawn as often again, up to `MOST_PICTURES` of each kind. Clear is what lies
two standard errors to either side of that bound. Epochs that are clear stay as they are: their score is told relative
to the best's by the pictures that both have (`benchmarks.choice.truth.true_scores`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from benchmarks.choice.outcome import CLOSE
from benchmarks.choice.truth import MOST_PICTURES, EpochTruth, Figures, bootstrap, true_scores

CLEAR = 2.0
"""Standard errors."""
DrawFurther = Callable[[Sequence[int], int, int], Sequence[EpochTruth]]
"""Gets epochs, the number of the first picture and how many; gives what these pictures say of each of the epochs."""


def unclear(truths: Sequence[EpochTruth]) -> tuple[int, ...]:
    """The epochs of which it is not clear whether they are within `CLOSE` of the best, and the best; empty: all are."""
    scores, draws = true_scores(truths), bootstrap(truths)
    best = max(scores, key=lambda epoch: (scores[epoch], -epoch))
    if not scores[best]:
        return ()
    found = [epoch for epoch in scores if epoch != best and _is_unclear(draws[epoch], draws[best], scores, epoch, best)]
    return tuple(sorted([*found, best])) if found else ()


def _is_unclear(own: Figures, of_best: Figures, scores: dict[int, float], epoch: int, best: int) -> bool:
    error = float(np.std(own[of_best > 0] / of_best[of_best > 0]))
    return abs(scores[epoch] / scores[best] - (1 - CLOSE)) < CLEAR * error


def further_rounds(truths: Sequence[EpochTruth], draw: DrawFurther) -> Iterator[tuple[EpochTruth, ...]]:
    """The truths after each round, until all is clear or enough was drawn."""
    found = tuple(truths)
    number = max(len(one.identity) for one in found)
    while number < MOST_PICTURES and (epochs := unclear(found)):
        found = tuple(_drawn_on(found, epochs, draw, number))
        yield found
        number *= 2


def _drawn_on(
    truths: Sequence[EpochTruth], epochs: Sequence[int], draw: DrawFurther, number: int
) -> Iterator[EpochTruth]:
    """The truths of the epochs by twice that number of pictures, the others as they are."""
    behind = sorted({len(one.identity) for one in truths if one.epoch in epochs})
    further = dict[int, EpochTruth]()
    for have in behind:
        of_these = [one.epoch for one in truths if one.epoch in epochs and len(one.identity) == have]
        further |= {one.epoch: one for one in draw(of_these, have, 2 * number - have)}
    for one in truths:
        yield one.with_further(further[one.epoch]) if one.epoch in further else one

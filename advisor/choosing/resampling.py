"""Means of a measure over pictures, with the bootstrap by which their errors and those of differences are known.

Prompts and seeds are both drawn anew, each with replacement, and a picture counts as often as its prompt times its seed
was drawn. Where each prompt has seeds of its own, as grids are drawn, these are drawn for each prompt apart: the
two-stage bootstrap (Davison and Hinkley 1997, section 3.8). Where all prompts have the same seeds, as in earlier grids,
they are drawn once for all: the pigeonhole bootstrap (Owen 2007, doi.org/10.1214/07-AOAS122). Both err towards wide
intervals. Each draw is one for all epochs, weights and measures, so that the difference of two epochs has an interval
of its own: what a prompt or a seed does to both of them alike is not in it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import mul
from typing import TypeAlias

from advisor.choosing.cells import Interval

DRAWS = 1000
"""Resamples. The 25th from either end, which bounds an interval, then lies within one in a hundred of its place."""
COVERED = 0.95
"""The share of the draws that an interval holds."""

Place: TypeAlias = tuple[int, int]
"""A prompt's and a seed's number: the picture that all epochs have drawn there is drawn from the same noise."""
Samples: TypeAlias = tuple[float, ...]
"""A figure as the pictures have it, then as each draw has it; the n-th of two such belong to the same draw."""


@dataclass(frozen=True)
class Draws:
    """How often each prompt and each seed counts: first once each, as the pictures are, then drawn anew."""

    prompts: tuple[Mapping[int, int], ...]
    seeds: tuple[Mapping[int, int], ...]
    _known: dict[tuple[Place, ...], Sequence[tuple[Sequence[float], float]]] = field(
        default_factory=dict, compare=False, repr=False
    )

    @classmethod
    def of(cls, kinds: Sequence[Collection[int]], seeds: Sequence[Collection[int]], number: int = DRAWS) -> Draws:
        """Draws that are the same for the same prompts and seeds.

        Args:
            kinds: the numbers of the prompts of each kind, e.g. with and without the trigger; of each kind as many are
                drawn as there are, so that no draw lacks one.
            seeds: the seeds of each prompt, or of all where they share them; no seed twice.
        """
        rng = random.Random(0)
        every, apart = [sorted(kind) for kind in kinds], [sorted(own) for own in seeds]
        prompts = [dict.fromkeys(chain.from_iterable(every), 1)]
        counted = [dict.fromkeys(chain.from_iterable(apart), 1)]
        for _ in range(number):
            prompts.append({key: times for kind in every for key, times in _drawn(kind, rng).items()})
            counted.append({key: times for own in apart for key, times in _drawn(own, rng).items()})
        return cls(tuple(prompts), tuple(counted))

    def means(self, values: Mapping[Place, float]) -> Samples:
        """The mean of the values, and that of each draw."""
        counts, plain = self._counts(tuple(values)), tuple(values.values())
        whole = sum(plain) / len(plain)
        # Where not every prompt has every seed, a draw may have no picture at all.
        return tuple(sum(map(mul, times, plain)) / total if total else whole for times, total in counts)

    def _counts(self, places: tuple[Place, ...]) -> Sequence[tuple[Sequence[float], float]]:
        """How often each place counts in each draw, and the sum of that; worked out once for all epochs."""
        if places not in self._known:
            found = []
            for prompts, seeds in zip(self.prompts, self.seeds, strict=True):
                times = [float(prompts[prompt] * seeds[seed]) for prompt, seed in places]
                found.append((times, sum(times)))
            self._known[places] = found
        return self._known[places]


def _drawn(items: Sequence[int], rng: random.Random) -> dict[int, int]:
    """How often each is drawn where as many are drawn as there are."""
    times = dict.fromkeys(items, 0)
    for item in rng.choices(items, k=len(items)) if items else ():
        times[item] += 1
    return times


def combined(how: Callable[..., float], *samples: Samples) -> Samples:
    """A figure made of others, draw by draw."""
    return tuple(how(*each) for each in zip(*samples, strict=True))


def interval(samples: Samples) -> Interval:
    """The figure as the pictures have it, and what bounds the middle COVERED of its draws."""
    value, drawn = samples[0], sorted(samples[1:]) or [samples[0]]
    tail = round((1 - COVERED) / 2 * (len(drawn) - 1))
    return Interval(value, min(value, drawn[tail]), max(value, drawn[-1 - tail]))


def share(samples: Samples, holds: Callable[[float], bool]) -> float:
    """In which share of the draws something holds of the figure."""
    drawn = samples[1:] or samples
    return sum(map(holds, drawn)) / len(drawn)

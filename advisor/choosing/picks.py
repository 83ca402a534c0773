"""Blind picks: which of two pictures a person took, again and again, and the ranking of the LoRAs that follows.

The ranking is that of Bradley and Terry 1952 (doi.org/10.2307/2334029), where a LoRA of strength s is taken before one
of strength t with the chance s / (s + t), fitted by the iteration of Hunter 2004 (doi.org/10.1214/aos/1079120141). A
pick of neither is half a win for both. Each LoRA has one more pick, of neither, beside an average one: without it those
that never lost would be infinitely strong.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from advisor.choosing.cells import BASE_EPOCH, Cell, Interval

Picked = Literal["left", "right", "equal"]
Place: TypeAlias = tuple[int, int]
"""A prompt's number and a seed: pictures of the same place are drawn from the same noise."""

LEAST_PICKS_EACH = 2
"""Each LoRA must have been seen so often before one is named."""
PICKS_EACH = 6
"""So many picks of each LoRA make a session: as a rule enough to tell the best from the rest."""
DRAWS = 200
"""Resamples of the picks."""
COVERED = 0.95
ROUNDS, CLOSE = 200, 1e-6
"""The iteration ends after so many rounds, or where nothing moves by more than this share."""


@dataclass(frozen=True, order=True)
class Candidate:
    """A LoRA at a weight, to be picked."""

    epoch: int
    weight: float


@dataclass(frozen=True)
class BlindPick:
    """Two pictures of the same place, and which was taken."""

    left: Candidate
    right: Candidate
    picked: Picked
    place: Place = (0, 0)

    @property
    def pair(self) -> tuple[Candidate, Candidate]:
        """Both, in order."""
        return (self.left, self.right) if self.left < self.right else (self.right, self.left)


@dataclass(frozen=True)
class PickStanding:
    """How a LoRA stands by the picks."""

    candidate: Candidate
    share: Interval
    """The chance that it is taken before another LoRA, 0..1, on average over the others."""
    picks: int
    """In which it was one of both."""


@dataclass(frozen=True)
class PickRanking:
    """What follows from all picks."""

    standings: tuple[PickStanding, ...]
    """The strongest first."""
    favourite: Candidate | None
    """None: the picks are too few."""
    tied: tuple[Candidate, ...]
    """Those that cannot be told from it, in order; it is not among them."""
    confidence: float
    """The share of the resamples in which the favourite is the strongest, 0..1."""
    num_picks: int


@dataclass(frozen=True)
class Pair:
    """Two pictures to choose between."""

    left: Cell
    right: Cell


def rank(picks: Sequence[BlindPick], candidates: Sequence[Candidate]) -> PickRanking:
    """The ranking of the candidates by picks among them."""
    known = sorted(set(candidates))
    there = frozenset(known)
    picks = [pick for pick in picks if pick.left in there and pick.right in there and pick.left != pick.right]
    seen = Counter(one for pick in picks for one in pick.pair)
    shares = _shares(picks, known)
    rng = random.Random(0)
    drawn = [_shares(rng.choices(picks, k=len(picks)), known) for _ in range(DRAWS)] if picks else [shares]
    order = sorted(known, key=lambda one: (-shares[one], one))
    standings = tuple(
        PickStanding(one, _interval(shares[one], [draw[one] for draw in drawn]), seen[one]) for one in order
    )
    if len(known) < 2 or min(seen[one] for one in known) < LEAST_PICKS_EACH:
        return PickRanking(standings, None, (), 0.0, len(picks))
    favourite = order[0]
    confidence = sum(max(known, key=lambda one: (draw[one], one == favourite)) == favourite for draw in drawn) / len(
        drawn
    )
    tied = tuple(sorted(one for one in order[1:] if not _is_surely_below(one, favourite, drawn)))
    return PickRanking(standings, favourite, tied, confidence, len(picks))


def _is_surely_below(one: Candidate, favourite: Candidate, drawn: Sequence[Mapping[Candidate, float]]) -> bool:
    below = sum(draw[one] < draw[favourite] for draw in drawn)
    return below >= (1 + COVERED) / 2 * len(drawn)


def _shares(picks: Sequence[BlindPick], known: Sequence[Candidate]) -> dict[Candidate, float]:
    """The chance of each to be taken before another, on average over the others."""
    strength = np.array(list(strengths(picks, known).values()))
    chances = strength[:, None] / (strength[:, None] + strength)  # one half against itself
    shares = (chances.sum(1) - 0.5) / max(1, len(known) - 1)
    return dict(zip(known, shares.tolist(), strict=True))


def strengths(picks: Sequence[BlindPick], known: Sequence[Candidate]) -> dict[Candidate, float]:
    """The strengths of Bradley and Terry's model; 1 is the average one's."""
    number = {one: place for place, one in enumerate(known)}
    met = Counter((number[pick.pair[0]], number[pick.pair[1]]) for pick in picks)
    a, b = np.array(list(met), dtype=np.intp).reshape(-1, 2).T
    times, wins = np.array(list(met.values()), dtype=float), np.zeros(len(known))
    for pick in picks:
        of_left = {"left": 1.0, "right": 0.0, "equal": 0.5}[pick.picked]
        wins[number[pick.left]] += of_left
        wins[number[pick.right]] += 1 - of_left
    found = np.ones(len(known))
    for _ in range(ROUNDS):
        before, each = found, times / (found[a] + found[b])
        beside = 1 / (before + 1.0)  # the pick beside the average one
        weights = beside + np.bincount(a, each, len(known)) + np.bincount(b, each, len(known))
        found = (wins + 0.5) / weights
        if bool(np.all(np.abs(found - before) <= CLOSE * before)):
            break
    return dict(zip(known, found.tolist(), strict=True))


def _interval(value: float, drawn: Sequence[float]) -> Interval:
    ordered = sorted(drawn)
    tail = round((1 - COVERED) / 2 * (len(ordered) - 1))
    return Interval(value, min(value, ordered[tail]), max(value, ordered[-1 - tail]))


def candidates_of(cells: Sequence[Cell]) -> tuple[Candidate, ...]:
    """The LoRAs that a grid has pictures of, in order."""
    return tuple(sorted({Candidate(cell.epoch, cell.weight) for cell in cells if cell.epoch != BASE_EPOCH}))


def session_length(num_candidates: int) -> int:
    """How many picks are asked for."""
    return PICKS_EACH * num_candidates // 2


def next_pair(cells: Sequence[Cell], picks: Sequence[BlindPick], rng: random.Random) -> Pair | None:
    """The two pictures whose pick tells most; None where no place has two.

    That is a pair whose outcome is open (near ties) and that was seen seldom, of LoRAs that were seen seldom; of its
    places one that was shown least. Which stands left is chance.
    """
    by_place = dict[Place, dict[Candidate, Cell]]()
    for cell in cells:
        if cell.epoch != BASE_EPOCH:
            by_place.setdefault((cell.prompt, cell.seed), {})[Candidate(cell.epoch, cell.weight)] = cell
    known = candidates_of(cells)
    strength, seen = strengths(picks, known), Counter(one for pick in picks for one in pick.pair)
    met, shown = Counter(pick.pair for pick in picks), Counter((pick.pair, pick.place) for pick in picks)
    pairs = [(a, b) for number, a in enumerate(known) for b in known[number + 1 :]]
    possible = [pair for pair in pairs if any(pair[0] in found and pair[1] in found for found in by_place.values())]
    if not possible:
        return None

    def told(pair: tuple[Candidate, Candidate]) -> float:
        a, b = pair
        chance = strength[a] / (strength[a] + strength[b])
        return chance * (1 - chance) / (1 + met[pair]) * (1 / (1 + seen[a]) + 1 / (1 + seen[b]))

    pair = max(possible, key=lambda one: (told(one), rng.random()))
    places = [place for place, found in by_place.items() if pair[0] in found and pair[1] in found]
    place = min(places, key=lambda one: (shown[pair, one], rng.random()))
    left, right = rng.sample(pair, 2)
    return Pair(by_place[place][left], by_place[place][right])

"""The averages of each epoch and weight over its pictures, each with its draws.

An epoch is compared with others only by places (prompt and seed) that all of them have: a picture that failed at one
epoch is left out at all of them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from advisor.choosing.cells import BASE_EPOCH, EpochScores, MeasureName, PictureScores
from advisor.choosing.resampling import Draws, Place, Samples, combined, interval

Key: TypeAlias = tuple[int, float]
"""An epoch at a weight."""
Unasked = Literal["likeness_unasked", "obedience_unasked", "damage_unasked"]
"""What a measure says where the prompt lacks the trigger."""
Figure = MeasureName | Unasked

LEAST_SHARE = 0.5
"""An epoch with fewer than this share of the places of the fullest one is not compared: it would cost the others too
many of theirs."""
WITHOUT_TRIGGER: frozenset[MeasureName] = frozenset({"leak"})
"""Measured where the prompt lacks the trigger."""
UNASKED: Mapping[MeasureName, Unasked] = {
    "likeness": "likeness_unasked",
    "obedience": "obedience_unasked",
    "damage": "damage_unasked",
}
"""Measures that say something else where the prompt lacks the trigger; what is neither here nor above says nothing
there."""
BUT_WORST: Mapping[Figure, Literal["most", "least"]] = {
    "leak": "most",
    "likeness_unasked": "most",
    "obedience_unasked": "least",
    "damage_unasked": "most",
}
"""Averaged over prompts without the worst of three or more: one of few that calls the character by other words, since
these stand in its captions alone, would be most of a mean."""


@dataclass(frozen=True)
class Averages:
    """Averages by figure, epoch and weight."""

    by_figure: Mapping[Figure, Mapping[Key, Samples]]
    least_unasked: Mapping[Key, Samples]
    """The likeness at the prompt without the trigger that has least of it; empty where there are not two such."""
    num_pictures: int
    """Places of the likeness that every epoch has."""

    @classmethod
    def of(cls, pictures: Sequence[PictureScores], with_trigger: Collection[int]) -> Averages:
        """The averages of what was measured.

        Args:
            with_trigger: the numbers of the prompts that ask for the character; where none does, all are taken to.
        """
        prompts = {one.prompt for one in pictures}
        asked = prompts & set(with_trigger) or prompts
        draws = Draws.of((asked, prompts - asked), _seeds_apart({(one.prompt, one.seed) for one in pictures}))
        compared = {figure: comparable(found) for figure, found in _values(pictures, asked).items()}
        by_figure = {
            figure: {key: _average(draws, figure, values) for key, values in found.items()}
            for figure, found in compared.items()
        }
        least = {
            key: combined(min, *(draws.means(values) for values in by_prompt))
            for key, values in compared.get("likeness_unasked", {}).items()
            if len(by_prompt := _by_prompt(values)) > 1
        }
        trained = (values for key, values in compared.get("likeness", {}).items() if key[0] != BASE_EPOCH)
        return cls(by_figure, least, max(map(len, trained), default=0))

    def get(self, figure: Figure, key: Key) -> Samples | None:
        """The average of one epoch at one weight; None: not measured there."""
        return self.by_figure.get(figure, {}).get(key)

    @property
    def keys(self) -> tuple[Key, ...]:
        """The epochs and weights whose likeness is known, in order."""
        return tuple(sorted(key for key in self.by_figure.get("likeness", {}) if key[0] != BASE_EPOCH))

    def epoch_scores(self) -> tuple[EpochScores, ...]:
        """Each epoch's and weight's measures with their intervals, in order."""
        names: tuple[MeasureName, ...] = get_args(MeasureName)
        keys = sorted({key for found in self.by_figure.values() for key in found})
        return tuple(
            EpochScores(*key, {name: interval(found) for name in names if (found := self.get(name, key)) is not None})
            for key in keys
        )


def _seeds_apart(places: Collection[Place]) -> list[set[int]]:
    """The seeds of each prompt; where any two prompts share one, those of all together."""
    by_prompt: dict[int, set[int]] = {}
    for prompt, seed in sorted(places):
        by_prompt.setdefault(prompt, set()).add(seed)
    together = set[int]().union(*by_prompt.values())
    return list(by_prompt.values()) if len(together) == len(places) else [together]


def _average(draws: Draws, figure: Figure, values: Mapping[Place, float]) -> Samples:
    """The mean; of what is measured without the trigger that of the prompts' means but the worst."""
    by_prompt = _by_prompt(values)
    if figure not in BUT_WORST or len(by_prompt) < 3:
        return draws.means(values)
    worst = max if BUT_WORST[figure] == "most" else min
    means = (draws.means(own) for own in by_prompt)
    return combined(lambda *each: (sum(each) - worst(each)) / (len(each) - 1), *means)


def comparable(found: Mapping[Key, Mapping[Place, float]]) -> dict[Key, dict[Place, float]]:
    """Each epoch's values at the places that all have; the base model's, with which none is compared, as they are."""
    trained = {key: values for key, values in found.items() if key[0] != BASE_EPOCH}
    most = max(map(len, trained.values()), default=0)
    kept = {key: values for key, values in trained.items() if len(values) >= LEAST_SHARE * most}
    common = set.intersection(*(set(values) for values in kept.values())) if kept else set[Place]()
    base = {key: dict(values) for key, values in found.items() if key[0] == BASE_EPOCH and values}
    if not common:
        return base
    return {**base, **{key: {place: values[place] for place in sorted(common)} for key, values in kept.items()}}


def _by_prompt(values: Mapping[Place, float]) -> list[dict[Place, float]]:
    found: dict[int, dict[Place, float]] = {}
    for place, value in values.items():
        found.setdefault(place[0], {})[place] = value
    return list(found.values())


def _values(pictures: Sequence[PictureScores], asked: Collection[int]) -> dict[Figure, dict[Key, dict[Place, float]]]:
    """What was measured where it says something; values that are no numbers are left out."""
    found: dict[Figure, dict[Key, dict[Place, float]]] = {}
    for one in pictures:
        for name, value in one.values.items():
            figure = _figure(name, one.prompt in asked)
            if figure is not None and math.isfinite(value):
                found.setdefault(figure, {}).setdefault((one.epoch, one.weight), {})[one.prompt, one.seed] = value
    return found


def _figure(name: MeasureName, has_trigger: bool) -> Figure | None:
    """What a measure of a picture counts as; None: it says nothing there."""
    if name in WITHOUT_TRIGGER:
        return None if has_trigger else name
    return name if has_trigger else UNASKED.get(name)

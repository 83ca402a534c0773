"""Made-up scores of grids, of which a test names only what it is about."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from advisor.choosing.cells import MeasureName, PictureScores

WITH_TRIGGER = (0, 1, 2)
WITHOUT_TRIGGER = (3, 4)
SEEDS = (7, 8, 9)

Curves = Mapping[MeasureName, Sequence[float]]
"""The true value at each epoch, from the first on."""


def score_table(
    curves: Curves, *, noise: float = 0.02, seeds: Sequence[int] = SEEDS, weight: float = 1.0, rng_seed: int = 1
) -> list[PictureScores]:
    """A picture's values lie around the epoch's; what its prompt and its seed add is the same at every epoch.

    Args:
        noise: standard deviation of what is added to one value; that of a prompt and of a seed are twice as large.
    """
    rng = random.Random(rng_seed)
    prompts = WITH_TRIGGER + WITHOUT_TRIGGER
    names = list(curves)
    numbered = [("prompt", number) for number in prompts] + [("seed", number) for number in seeds]
    shift = {(name, *which): rng.gauss(0, 2 * noise) for name in names for which in numbered}

    def value(name: MeasureName, epoch: int, prompt: int, seed: int) -> float:
        own = shift[name, "prompt", prompt] + shift[name, "seed", seed]
        return curves[name][epoch] + own + rng.gauss(0, noise)

    return [
        PictureScores(
            epoch + 1, weight, prompt, seed,
            {name: value(name, epoch, prompt, seed) for name in names if prompt in _places(name)},
        )
        for epoch in range(max(map(len, curves.values()))) for prompt in prompts for seed in seeds
    ]  # fmt: skip


def _places(name: MeasureName) -> Sequence[int]:
    """The prompts at which a measure is made."""
    if name == "leak":
        return WITHOUT_TRIGGER
    return WITH_TRIGGER + WITHOUT_TRIGGER if name == "damage" else WITH_TRIGGER

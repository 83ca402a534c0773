"""What recommended epochs are worth beside the best ones and beside other rules: truths and choices in, figures out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from advisor.choosing.cells import Verdict

CLOSE = 0.05
"""A score this share below the best epoch's is as good."""
SURE_STEPS = (0.0, 0.6, 0.75, 0.9, 1.01)
"""Bounds of the groups by told confidence."""
Rule = str
CHOSEN, LAST, TRAINING_LOSS, VALIDATION_LOSS = "chosen", "last", "lowest training loss", "lowest validation loss"


@dataclass(frozen=True)
class Chosen:
    """What the recommender said of a run."""

    verdict: Verdict
    epoch: int | None
    tied: tuple[int, ...]
    confidence: float
    reason: str
    seeds: int = 0
    """Of each prompt with the trigger; 0: not told."""


@dataclass(frozen=True)
class Outcome:
    """A run: what was said, and what is true."""

    name: str
    kind: str
    chosen: Chosen
    truth: Mapping[int, float]
    """The true score of each epoch; empty where only the verdict counts."""
    training_loss: Mapping[int, float]
    """The mean over an epoch's steps."""
    validation_loss: Mapping[int, float]
    truth_draws: Mapping[int, npt.NDArray[np.float64]] = field(default_factory=dict)
    """The true score of each epoch by draws of the truth's prompts, the same draws for all epochs."""

    @property
    def best(self) -> int:
        """The truly best epoch; the earliest of equals."""
        return min(self.truth, key=lambda epoch: (-self.truth[epoch], epoch))

    def epoch_by(self, rule: Rule) -> int | None:
        """The epoch that a rule takes."""
        if rule == CHOSEN:
            return self.chosen.epoch
        if rule == LAST:
            return max(self.truth)
        losses = self.training_loss if rule == TRAINING_LOSS else self.validation_loss
        return min(losses, key=lambda epoch: (losses[epoch], epoch))

    def ratio(self, rule: Rule = CHOSEN) -> float:
        """The true score of a rule's epoch, relative to the best's; 0 where it takes none."""
        epoch, most = self.epoch_by(rule), self.truth[self.best]
        if epoch is None:
            return 0.0
        return self.truth[epoch] / most if most > 0 else 1.0

    @property
    def ratio_error(self) -> float:
        """The standard error of `ratio` of the chosen epoch, since the truth is of a limited number of pictures."""
        if self.chosen.epoch in (None, self.best) or not self.truth_draws:
            return 0.0
        assert self.chosen.epoch is not None
        chosen, best = self.truth_draws[self.chosen.epoch], self.truth_draws[self.best]
        return float(np.std(chosen[best > 0] / best[best > 0]))

    @property
    def is_close(self) -> bool:
        """Whether the recommended epoch is within `CLOSE` of the best."""
        return self.ratio() >= 1 - CLOSE

    @property
    def is_named(self) -> bool:
        """Whether a run that was made to be bad is called what it is, and another is not called bad."""
        if self.kind in ("underfit", "burnt", "no_trigger"):
            return self.chosen.verdict == self.kind
        return self.kind != "good" or self.chosen.verdict in ("good", "tied")


def reliability(outcomes: Sequence[Outcome]) -> list[dict[str, float | int]]:
    """By how sure the recommendation said it was: how many runs, the mean of what it said, and how many were close."""
    rows: list[dict[str, float | int]] = []
    for low, high in pairwise(SURE_STEPS):
        group = [one for one in outcomes if low <= one.chosen.confidence < high]
        if group:
            told, close = _mean(group, lambda one: one.chosen.confidence), sum(one.is_close for one in group)
            rows.append({"from": low, "to": min(1.0, high), "runs": len(group), "told": round(told, 3), "close": close})
    return rows


def mean_score(outcomes: Sequence[Outcome], rule: Rule) -> float:
    """The mean true score of a rule's epochs; a run where it takes none counts 0."""
    return _mean(outcomes, lambda one: 0.0 if (epoch := one.epoch_by(rule)) is None else one.truth[epoch])


def _mean(outcomes: Sequence[Outcome], value: Callable[[Outcome], float]) -> float:
    return sum(map(value, outcomes)) / len(outcomes)


def totals(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The figures that the promises are about, over runs whose truth was measured."""
    tied = [one for one in outcomes if one.chosen.verdict == "tied"]
    rules = (CHOSEN, LAST, TRAINING_LOSS, VALIDATION_LOSS)
    return {
        "runs": len(outcomes),
        "within_5_percent": sum(one.is_close for one in outcomes),
        "no_epoch": sum(one.chosen.epoch is None for one in outcomes),
        "unsure": sum(one.chosen.verdict == "unsure" for one in outcomes),
        "tied": len(tied),
        "tied_within_5_percent": sum(one.is_close for one in tied),
        "mean_confidence": round(_mean(outcomes, lambda one: one.chosen.confidence), 3),
        "reliability": reliability(outcomes),
        "mean_score": {**{rule: round(mean_score(outcomes, rule), 4) for rule in rules}, "best": best_mean(outcomes)},
        "within_5_percent_by_rule": {rule: sum(one.ratio(rule) >= 1 - CLOSE for one in outcomes) for rule in rules},
    }


def best_mean(outcomes: Sequence[Outcome]) -> float:
    """The mean true score of the best epochs."""
    return round(_mean(outcomes, lambda one: one.truth[one.best]), 4)

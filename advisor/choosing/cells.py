"""What was drawn of a training's LoRAs, what was measured on it, and what is chosen by that: the types of a grid.

A grid is drawn at each epoch x weight x prompt x seed; a picture of it is a cell. Epoch 0 is the base model alone, with
whose cells the others are compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from advisor.settings.config import MOST_EPOCHS

BASE_EPOCH = 0
"""The epoch of cells that the base model drew alone."""
BASE_WEIGHT = 0.0
"""Their weight."""
MOST_WEIGHT = 10.0
"""User interfaces go up to 2; what is far beyond draws noise."""
MOST_PROMPTS = 64
MOST_SEEDS = 64
MOST_SCORE = 1e9
"""No measure goes further to either side of 0."""

MeasureName = Literal["likeness", "colour", "obedience", "variety", "leak", "damage", "memorised"]
"""What is measured on pictures."""
Verdict = Literal["good", "tied", "underfit", "burnt", "no_trigger", "unsure"]
SettingValue: TypeAlias = bool | int | float | str

Epoch = Annotated[int, Field(ge=0, le=MOST_EPOCHS)]
Weight = Annotated[float, Field(ge=-MOST_WEIGHT, le=MOST_WEIGHT, allow_inf_nan=False)]
PromptIndex = Annotated[int, Field(ge=0, lt=MOST_PROMPTS)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Score = Annotated[float, Field(ge=-MOST_SCORE, le=MOST_SCORE, allow_inf_nan=False)]


@dataclass(frozen=True)
class Cell:
    """A picture of a grid."""

    epoch: Epoch
    """Counted from 1; 0: the base model alone. Of a single LoRA: 1."""
    weight: Weight
    """How strongly the LoRA counts, as user interfaces have it; 0 of the base model."""
    prompt: PromptIndex
    """Which of the grid's prompts, counted from 0."""
    seed: Seed
    """Of the noise that it was drawn from."""
    path: Annotated[str, Field(pattern=r"^pictures/[0-9a-f]{64}\.png$")]
    """Relative to the grid's folder."""


@dataclass(frozen=True)
class PictureScores:
    """What was measured on one cell."""

    epoch: Epoch
    weight: Weight
    prompt: PromptIndex
    seed: Seed
    values: Mapping[MeasureName, Score]
    """One value for each measure that applies; where one compares with the base model, it is the difference to, or
    the distance from, the base's cell of the same prompt and seed."""


@dataclass(frozen=True)
class EpochExtras:
    """What is known of an epoch beside its pictures; None: not known."""

    epoch: Epoch
    weight_norm: Score | None = None
    """Frobenius norm of the change of all weights together, at weight 1."""
    validation_loss: Score | None = None
    """Mean loss on held-out images, with the same noise at each epoch."""


@dataclass(frozen=True)
class Interval:
    """A value with its confidence interval."""

    value: Score
    low: Score
    high: Score


@dataclass(frozen=True)
class EpochScores:
    """The scores of an epoch at a weight, over its prompts and seeds."""

    epoch: Epoch
    weight: Weight
    scores: Mapping[MeasureName, Interval]


@dataclass(frozen=True)
class Choice:
    """Which epoch to use at which weight, and how sure that is."""

    verdict: Verdict
    epoch: Epoch | None
    """None: none is recommended."""
    weight: Weight | None
    tied: tuple[Epoch, ...]
    """Epochs whose scores cannot be told from the best's, in order."""
    runner_up: Epoch | None
    burnt_from: Epoch | None
    """The first epoch that shows damage; None: none does."""
    confidence: Annotated[float, Field(ge=0, le=1)]
    """Share of the bootstrap's resamples that agree with it, 0..1."""
    reason: str
    """A sentence with the numbers."""
    changes: Mapping[str, SettingValue] = field(default_factory=dict)
    """Settings of the next run that is offered, by path; empty: none is."""

"""Which sizes pictures are trained at: the limits of buckets, and the largest bucket that is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from advisor.dataset.buckets import Bucketing, Size
from advisor.facts import Facts
from advisor.rules.card_class import own_native_px, structure_of
from advisor.rules.defaults_table import defaults_for
from advisor.settings.config import RESOLUTION_STEP_PX, TrainingConfig, changed

LEAST_SIDE_PX = 32
"""No bucket's side is shorter."""
UPSCALE_TOLERANCE = 0.1
"""Enlarged so little by Lanczos's filter a picture shows no blur; two neighbouring steps of 64 px at 512 are an eighth
apart."""
MUCH_CROPPED = 0.1
"""Of a picture's area; cropping less than this costs less than enlarging."""


@dataclass(frozen=True)
class Gain:
    """What a picture gains by being enlarged a little."""

    size: Size
    cropped: float
    """The share of it that is cropped away as it is."""
    then_cropped: float


def largest_bucket(facts: Facts, config: TrainingConfig) -> Size | None:
    """The largest size that a picture is trained at; None without pictures."""
    bucketing = Bucketing.of(config.dataset)
    sizes = {(width, height) for width, height, _ in facts.dataset.sizes}
    buckets = {bucketing.place(*size).bucket for size in sizes}
    return max(buckets, key=lambda size: (size[0] * size[1], size), default=None)


def with_bucket_limits(facts: Facts, config: TrainingConfig) -> TrainingConfig:
    """The configuration with the limits of buckets that follow from its resolution, but for those the user chose."""
    for path, limit in LIMITS.items():  # one after the other: the second and third are multiples of the first
        if path not in facts.chosen_paths:
            config = changed(config, path, limit(facts, config))
    return config


def bucket_step_px(facts: Facts, config: TrainingConfig) -> int:
    """The usual step; in proportion for a base of another size, but nothing that its U-Net cannot halve."""
    own, unit = own_native_px(facts, config), halving_unit_px(facts)
    if own is None:
        return RESOLUTION_STEP_PX
    return max(unit, round(RESOLUTION_STEP_PX * own / defaults_for(config).native_px / unit) * unit)


def min_bucket_px(facts: Facts, config: TrainingConfig) -> int:
    """The table's, in proportion for a base of another size, never above the resolution."""
    value = _in_proportion(facts, config, defaults_for(config).buckets[0])
    return max(LEAST_SIDE_PX, min(value, config.dataset.resolution_px))


def max_bucket_px(facts: Facts, config: TrainingConfig) -> int:
    """The table's, in proportion for a base of another size, never below the resolution."""
    return max(_in_proportion(facts, config, defaults_for(config).buckets[1]), config.dataset.resolution_px)


def upscale_tolerance(facts: Facts, config: TrainingConfig) -> float:
    """As much as pictures are enlarged a little, where one gains by it; else 0."""
    gains = not config.dataset.bucket_upscale and largest_gain(facts, config) is not None
    return UPSCALE_TOLERANCE if gains else 0.0


def largest_gain(facts: Facts, config: TrainingConfig) -> Gain | None:
    """Of the picture that gains most; None where none does, or where what it loses is little."""
    exact, tolerant = (
        Bucketing.of(changed(config, "dataset.upscale_tolerance", share).dataset) for share in (0.0, UPSCALE_TOLERANCE)
    )
    area = config.dataset.resolution_px**2
    sizes = {(width, height) for width, height, _ in facts.dataset.sizes if width * height <= area}
    gains = (Gain(size, exact.place(*size).cropped_share, tolerant.place(*size).cropped_share) for size in sizes)
    real = [gain for gain in gains if gain.cropped > MUCH_CROPPED and gain.then_cropped < gain.cropped]
    return max(real, key=lambda gain: (gain.cropped - gain.then_cropped, gain.size), default=None)


def halving_unit_px(facts: Facts) -> int:
    """Sides are multiples of this, so that the denoiser can halve them at each level."""
    return structure_of(facts).halving_unit_px


def _in_proportion(facts: Facts, config: TrainingConfig, limit: int) -> int:
    own, step = own_native_px(facts, config), config.dataset.bucket_step_px
    if own is None:
        return limit
    return max(step, round(limit * own / defaults_for(config).native_px / step) * step)


LIMITS: Mapping[str, Callable[[Facts, TrainingConfig], int | float]] = {
    "dataset.bucket_step_px": bucket_step_px,
    "dataset.min_bucket_px": min_bucket_px,
    "dataset.max_bucket_px": max_bucket_px,
    "dataset.upscale_tolerance": upscale_tolerance,
}
"""How each follows from the facts and what stands before it."""

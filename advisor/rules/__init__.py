"""Rules of thumb: one setting, one source, one sentence for the user."""

from __future__ import annotations

from advisor.rules import (
    batch,
    captions,
    fixed,
    given,
    learning_rate,
    network,
    noise,
    optimizers,
    precision,
    resolution,
    sampling,
    schedule,
    threads,
)
from advisor.rules.rule import FittedRule, Rule

BEFORE_FIT: tuple[Rule, ...] = (
    captions.caption_lines,
    *given.RULES,
    *fixed.DATASET,
    *captions.RULES,
    *precision.RULES,
    *fixed.NETWORK,
    *network.RULES,
    precision.saving_dtype,
    *fixed.LOSS,
    *noise.RULES,
    *learning_rate.LEADING,
    batch.cache_latents,
)
"""What fitting into memory must know; in this order, each sees what the ones before it settled."""

FITTED: tuple[FittedRule, ...] = (
    learning_rate.text_encoder_learning_rate,
    resolution.resolution_px,
    *batch.RULES,
)
"""What is chosen so that it fits: all read the same fit."""

AFTER_FIT: tuple[Rule, ...] = (
    batch.cache_text,
    batch.text_variants,
    *resolution.BUCKETS,
    *fixed.OPTIMIZER,
    *schedule.RULES,
    *fixed.SCHEDULE,
    *optimizers.RULES,
    *fixed.SAVING,
    *sampling.RULES,
    *threads.RULES,
)
"""What follows from the fit, or has no part in it; in this order."""

RULES: tuple[Rule | FittedRule, ...] = (*BEFORE_FIT, *FITTED, *AFTER_FIT)
"""All, in the order in which they settle a plan."""

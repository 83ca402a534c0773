"""Rules of thumb: one setting, one source, one sentence for the user."""

from __future__ import annotations

from advisor.rules import (
    batch,
    captions,
    fixed,
    given,
    learning_rate,
    network,
    precision,
    resolution,
    schedule,
    threads,
)
from advisor.rules.rule import Rule

RULES: tuple[Rule, ...] = (
    *given.RULES,
    *fixed.DATASET,
    *captions.RULES,
    *precision.RULES,
    *fixed.NETWORK,
    *network.RULES,
    precision.saving_dtype,
    *fixed.LOSS,
    *learning_rate.LEADING,
    *batch.BEFORE_FITTING,
    learning_rate.text_encoder_learning_rate,
    resolution.resolution_px,
    *batch.RULES,
    *resolution.BUCKETS,
    *fixed.OPTIMIZER,
    *schedule.RULES,
    *fixed.SCHEDULE,
    *fixed.SAVING,
    *threads.RULES,
)
"""In this order; each sees what the ones before it settled, and those that fit into memory come late for it."""

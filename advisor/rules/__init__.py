"""Rules of thumb: one setting, one source, one sentence for the user."""

from __future__ import annotations

from advisor.rules import (
    batch,
    captions,
    learning_rate,
    machine,
    network,
    plain,
    precision,
    resolution,
    run,
    steps,
)  # fmt: skip
from advisor.rules.rule import Rule

RULES: tuple[Rule, ...] = (
    *run.RULES,
    *plain.DATASET,
    *captions.RULES,
    *precision.RULES,
    *plain.NETWORK,
    *network.RULES,
    precision.saving_dtype,
    *plain.LOSS,
    *learning_rate.LEADING,
    *batch.BEFORE_FITTING,
    learning_rate.text_encoder_learning_rate,
    resolution.resolution_px,
    *batch.RULES,
    *resolution.BUCKETS,
    *plain.OPTIMIZER,
    *steps.RULES,
    *plain.SCHEDULE,
    *plain.SAVING,
    *machine.RULES,
)
"""In this order; each sees what the ones before it settled, and those that fit into memory come late for it."""

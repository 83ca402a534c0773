"""Which noise is trained on, and what of it a flow matching base has no use for."""

from __future__ import annotations

from typing import Any

from advisor.facts import Facts
from advisor.rules.defaults_table import defaults_for
from advisor.rules.rule import Advice, Rule, rule
from advisor.rules.sources import FLOW_MATCHING, OURS, SD_SCRIPTS
from advisor.settings.config import TrainingConfig


def off_for_flow(known: Rule, off: Any, reason: str) -> Rule:
    """The rule, but for flow matching bases, which get `off` for that reason."""

    def judge(facts: Facts, config: TrainingConfig) -> Advice | None:
        if config.model.prediction == "flow":
            return Advice(off, reason, FLOW_MATCHING)
        return known.judge(facts, config)

    judge.__doc__ = known.meaning
    return Rule(known.sets, known.source, judge)


@rule(sets="loss.timestep_sampling", source=SD_SCRIPTS)
def timestep_sampling(_: Facts, config: TrainingConfig) -> Advice:
    """Uniform for 1,000 timesteps, logit-normal for flow matching."""
    if config.model.prediction == "flow":
        reason = "the middle between picture and noise is hardest, so it is drawn most, as flow models were trained"
        return Advice("logit_normal", reason, FLOW_MATCHING)
    return Advice("uniform", "all steps of noise are drawn alike, as this base was trained", origin="default")


@rule(sets="loss.timestep_mean", source=OURS)
def timestep_mean(_: Facts, __: TrainingConfig) -> Advice:
    """0: only logit-normal timesteps read it."""
    return Advice(0.0, "only logit_normal reads it: 0 has its peak in the middle of the noise", origin="default")


@rule(sets="loss.timestep_scale", source=OURS)
def timestep_scale(_: Facts, __: TrainingConfig) -> Advice:
    """1: only logit-normal timesteps read it."""
    return Advice(1.0, "only logit_normal reads it: 1 leaves every step of noise some share", origin="default")


@rule(sets="loss.timestep_shift", source=OURS)
def timestep_shift(_: Facts, config: TrainingConfig) -> Advice:
    """The table's: 1, no shift; for Z-Image 2."""
    table = defaults_for(config)
    if table.why_shift:
        return Advice(table.timestep_shift, table.why_shift, table.shift_source)
    return Advice(1.0, "no shift: much and little noise, composition and detail, count alike", origin="default")


@rule(sets="loss.timestep_weighting", source=OURS)
def timestep_weighting(_: Facts, __: TrainingConfig) -> Advice:
    """None: how often a timestep is drawn is enough."""
    return Advice(
        "none", "no bell over the timesteps: how often one is drawn says how much it counts", origin="default"
    )


RULES = (timestep_sampling, timestep_mean, timestep_scale, timestep_shift, timestep_weighting)
"""Times of the noise."""

NO_SNR = "off: a velocity's error is about as large at all times, so flow matching has no weight by the noise"
NO_OFFSET = "off: a flow model's path ends in pure noise, so that it draws dark and light pictures by itself"
NO_LEVELS = "off: flow matching is defined for one even level of noise"

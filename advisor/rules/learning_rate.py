"""How fast is learned: too fast burns, too slow never learns."""

from __future__ import annotations

from advisor.estimate.tradeoffs import TEXT_ENCODER
from advisor.facts import Facts
from advisor.rules.card_class import text_rate
from advisor.rules.defaults_table import ANYLORA_LIKE, SD1_CURRENT, SD1_TUTORIAL, defaults_for
from advisor.rules.fitting import TEXT_RATE_PATH, Fit, saved_bytes
from advisor.rules.rule import Advice, fitted_rule, rule
from advisor.rules.sources import OURS, TUTORIAL
from advisor.settings.config import TrainingConfig
from advisor.units import gib, rate, size

UNET_PATH = "optimizer.unet_learning_rate"


@rule(sets="optimizer.learning_rate", source=TUTORIAL)
def learning_rate(facts: Facts, config: TrainingConfig) -> Advice:
    """The table's, dampened for a character on an AnyLoRA-like base."""
    table = defaults_for(config)
    if config.optimizer.name == "prodigy":
        return Advice(1.0, "Prodigy finds the rate itself; 1 lets it")
    if UNET_PATH in facts.chosen_paths:
        value = config.optimizer.unet_learning_rate
        return Advice(value, "the U-Net's rate, which you chose; the others are measured by it")
    dampened = config.run.subject == "character" and config.model.lineage in ANYLORA_LIKE
    if dampened and table.anylora_rate != table.rate:
        return Advice(table.anylora_rate, _dampened(table.anylora_rate, table.rate), table.source)
    if config.model.lineage in ANYLORA_LIKE and config.run.subject == "style":
        return Advice(
            table.rate, f"a style: AnyLoRA takes {rate(table.rate)} for it, unlike for a character", table.source
        )
    if table is SD1_TUTORIAL:
        return Advice(table.rate, "slow pace, few errors: the tutorial starts here; most today take 5e-4")
    tutorials = "five times the tutorial's 1e-4" if table is SD1_CURRENT else "the tutorial's 1e-4 is for SD1.x"
    return Advice(table.rate, f"what most train {table.title} bases with; {tutorials}", table.source)


def _dampened(value: float, usual: float) -> str:
    return f"AnyLoRA burns up faster than others, so a character gets {rate(value)} instead of {rate(usual)}"


@rule(sets="optimizer.unet_learning_rate", source=TUTORIAL)
def unet_learning_rate(_: Facts, config: TrainingConfig) -> Advice:
    """The learning rate."""
    value = config.optimizer.learning_rate
    return Advice(value, f"the U-Net learns at the learning rate itself, {rate(value)}")


@fitted_rule(sets=TEXT_RATE_PATH, source=TUTORIAL)
def text_encoder_learning_rate(facts: Facts, config: TrainingConfig, fitted: Fit) -> Advice:
    """Half the learning rate; 0 where it is not trained, or where only that makes the plan fit."""
    value, table, half = text_rate(config), defaults_for(config), config.optimizer.learning_rate / 2
    if value == 0:
        reason = f"{table.title}: U-Net only, as advised; where the text encoder is trained the tutorial's half holds"
        return Advice(0.0, reason, table.source)
    if not fitted.choice.text_encoder:
        saved = size(saved_bytes(facts, config, fitted, text_encoder=True))
        reason = f"not trained: saves {saved}, and else it does not fit {gib(fitted.free_bytes)}; {TEXT_ENCODER.result}"
        return Advice(0.0, reason, OURS)
    if value < half:
        share = config.optimizer.learning_rate / value
        return Advice(value, f"1/{share:.2g} of the learning rate, as most do; the tutorial takes half", table.source)
    if config.optimizer.name == "prodigy":
        return Advice(value, "Prodigy adapts one rate for all; equal to the U-Net's")
    return Advice(value, f"half of {rate(config.optimizer.learning_rate)}, and never above it: words are learned fast")


LEADING = (learning_rate, unet_learning_rate)
"""Before fitting, which the text encoder's rate takes part in."""

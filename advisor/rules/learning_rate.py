"""How fast is learned: too fast burns, too slow never learns."""

from __future__ import annotations

from dataclasses import replace

from advisor.estimate.tradeoffs import TEXT_ENCODER
from advisor.facts import Facts
from advisor.rules.card_class import text_rate
from advisor.rules.defaults_table import ANYLORA_LIKE, SD1_CURRENT, SD1_TUTORIAL, defaults_for
from advisor.rules.fitting import TEXT_RATE_PATH, Fit, saved_bytes
from advisor.rules.optimizers import optimizer_defaults
from advisor.rules.rule import Advice, fitted_rule, rule
from advisor.rules.sources import OURS, PRODIGY, SD_SCRIPTS_ANIMA, SD_SCRIPTS_SDXL, TUTORIAL
from advisor.settings.config import TrainingConfig
from advisor.units import gib, rate, rounded, size

UNET_PATH = "optimizer.unet_learning_rate"


@rule(sets="optimizer.learning_rate", source=TUTORIAL)
def learning_rate(facts: Facts, config: TrainingConfig) -> Advice:
    """The table's, dampened for a character on an AnyLoRA-like base; Prodigy 1, Lion a fifth."""
    table, own = defaults_for(config), optimizer_defaults(config)
    if own.rate is not None:
        return Advice(own.rate, f"{own.title} finds the rate itself; {own.rate:g} lets it", own.source)
    if UNET_PATH in facts.chosen_paths:
        value = config.optimizer.unet_learning_rate
        return Advice(value, f"the {table.denoiser}'s rate, which you chose; the others are measured by it", OURS)
    advised = _for_adamw(config)
    if own.rate_share != 1:
        share = f"1/{1 / own.rate_share:g} of the {rate(advised.value)} that AdamW would have here"
        reason = f"{share}: every step of {own.title} is as long as its rate, however small the gradient"
        return Advice(rounded(advised.value * own.rate_share), reason, own.source)
    return replace(advised, source=advised.source or table.source)


def _for_adamw(config: TrainingConfig) -> Advice:
    """The rate for AdamW and all that are run at its rates."""
    table = defaults_for(config)
    if config.model.lineage in ANYLORA_LIKE and table.anylora_rate != table.rate:
        source = TUTORIAL if table is SD1_TUTORIAL else OURS
        if config.run.subject == "character":
            return Advice(table.anylora_rate, _dampened(table.anylora_rate, table.rate), source)
        pale = "" if table is SD1_CURRENT else "; with a style's rank the notebook takes 5e-4: go there if it is pale"
        unlike = f"a style: AnyLoRA takes {rate(table.rate)} for it, unlike for a character{pale}"
        return Advice(table.rate, unlike, source)
    if table is SD1_TUTORIAL and config.run.subject == "style":
        return Advice(table.rate, f"{table.why_rate}, as the notebook does with a style's rank: go there if it is pale")
    return Advice(table.rate, table.why_rate)


def _dampened(value: float, usual: float) -> str:
    return f"AnyLoRA burns up faster than others, so a character gets {rate(value)} instead of {rate(usual)}"


@rule(sets="optimizer.unet_learning_rate", source=TUTORIAL)
def unet_learning_rate(_: Facts, config: TrainingConfig) -> Advice:
    """The learning rate."""
    value = config.optimizer.learning_rate
    return Advice(value, f"the {defaults_for(config).denoiser} learns at the learning rate itself, {rate(value)}")


@fitted_rule(sets=TEXT_RATE_PATH, source=TUTORIAL)
def text_encoder_learning_rate(facts: Facts, config: TrainingConfig, fitted: Fit) -> Advice:
    """Half the learning rate; 0 where it is not trained, as of flow matching bases, or where only that makes it fit."""
    value, table, own = text_rate(config), defaults_for(config), optimizer_defaults(config)
    if config.model.prediction == "flow":
        reason = "text encoders of flow matching bases are not trained: they read captions once and leave the memory"
        return Advice(0.0, reason, SD_SCRIPTS_ANIMA)
    if value == 0 and config.run.subject == "style":
        reason = "a style is in the pictures, not in a word: U-Net only, as the notebooks offer for styles"
        return Advice(0.0, reason, table.notebook)
    if value == 0:
        if_trained = "" if own.rate is not None else f"; who trains words too takes {table.text_if_trained}"
        return Advice(0.0, f"kohya advises to train the U-Net of SDXL alone{if_trained}", SD_SCRIPTS_SDXL)
    if not fitted.choice.text_encoder:
        saved = size(saved_bytes(facts, config, fitted, text_encoder=True))
        reason = f"not trained: saves {saved}, and else it does not fit {gib(fitted.free_bytes)}; {TEXT_ENCODER.result}"
        return Advice(0.0, reason, OURS)
    if config.optimizer.name == "prodigy":
        return Advice(value, "Prodigy adapts one rate for all; equal to the U-Net's", PRODIGY)
    if table.text_share < SD1_TUTORIAL.text_share:
        share = f"1/{1 / table.text_share:g} of the learning rate, as the notebook does; the tutorial takes half"
        return Advice(value, share, table.source)
    return Advice(value, f"half of {rate(config.optimizer.learning_rate)}, and never above it: words are learned fast")


LEADING = (learning_rate, unet_learning_rate)
"""Before fitting, which the text encoder's rate takes part in."""

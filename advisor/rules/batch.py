"""What decides whether it fits: batch, checkpointing, optimizer, base precision, caches."""

from __future__ import annotations

from advisor.config import TrainingConfig
from advisor.facts import Facts
from advisor.rules.columns import column
from advisor.rules.fitting import Fit, captions_vary, fit
from advisor.rules.rule import Advice, rule
from advisor.rules.sources import ADAMW, CHECKPOINTING_STUDY, OURS, SD_SCRIPTS, TUTORIAL
from advisor.units import gib


@rule(sets="optimizer.name", source=ADAMW)
def optimizer_name(facts: Facts, config: TrainingConfig) -> Advice:
    """AdamW; its 8-bit form on a small card, or where only that fits."""
    fitted = fit(facts, config)
    if fitted.choice.optimizer == "adamw8bit":
        return Advice("adamw8bit", f"its moments in 8 bits: every bit helps in {_room(fitted)}", OURS)
    if config.memory.preset == "low" and facts.gpu is not None:
        return Advice(
            "adamw", f"bitsandbytes, which has an 8-bit one, is not at work here; AdamW fits in {_room(fitted)}"
        )
    return Advice("adamw", f"the plain one: {_room(fitted)}, so it needs no 8-bit form")


@rule(sets="schedule.batch_size", source=TUTORIAL)
def batch_size(facts: Facts, config: TrainingConfig) -> Advice:
    """As large as fits, within the preset's range."""
    fitted, preset = fit(facts, config), config.memory.preset
    least, most = column(config).batches[preset]
    value, needed = fitted.choice.batch_size, gib(fitted.needed_bytes)
    if facts.gpu is None:
        return Advice(value, "a processor gains nothing from more pictures at once", OURS)
    if value < least:
        return Advice(value, f"only {gib(fitted.free_bytes)} are free on {facts.gpu.name}: one picture at a time", OURS)
    span = f"{least}" if least == most else f"{least} to {most}"
    return Advice(value, f"{preset} cards take {span}: {value} needs about {needed} of {gib(fitted.free_bytes)} free")


@rule(sets="schedule.gradient_accumulation", source=SD_SCRIPTS)
def gradient_accumulation(facts: Facts, config: TrainingConfig) -> Advice:
    """More than 1 only where the batch had to fall below the preset's range."""
    value = fit(facts, config).choice.accumulation
    if value > 1:
        return Advice(
            value, f"{value} single pictures make one step, so that it learns as from a batch of {value}", OURS
        )
    return Advice(1, f"the batch of {config.schedule.batch_size} fits at once, so nothing has to be added up")


@rule(sets="memory.gradient_checkpointing", source=CHECKPOINTING_STUDY)
def gradient_checkpointing(facts: Facts, config: TrainingConfig) -> Advice:
    """Off, unless the plan does not fit without; on SDXL the other way round."""
    fitted = fit(facts, config)
    price = "78" if column(config).checkpoints_first else "69"
    if fitted.choice.checkpointing and facts.gpu is None and column(config).checkpoints_first:
        return Advice(True, f"{column(config).title} takes so much that a processor's memory is short of it", OURS)
    if fitted.choice.checkpointing:
        return Advice(True, f"{_room(fitted)}: without it the batch would not fit; a step takes {price} % longer")
    return Advice(False, f"{_room(fitted)}, so the {price} % more time that it costs would buy nothing")


@rule(sets="memory.base_dtype", source=OURS)
def base_dtype(facts: Facts, config: TrainingConfig) -> Advice:
    """The compute dtype; fewer bits only where nothing else fits."""
    chosen = fit(facts, config).choice.base_dtype
    if chosen is not None:
        return Advice(
            chosen, f"nothing else fits {gib(fit(facts, config).free_bytes)}; {chosen} blurs the base a little"
        )
    value = config.memory.compute_dtype
    return Advice(value, f"the base's weights as they are computed with, {value}; they are not trained")


@rule(sets="memory.cache_latents", source=SD_SCRIPTS)
def cache_latents(facts: Facts, config: TrainingConfig) -> Advice:
    """On, unless each time another part of the picture is taken."""
    if config.dataset.random_crop:
        return Advice(False, "random crops show another part each time, so nothing can be kept")
    return Advice(True, f"{facts.dataset.num_images:,} pictures are encoded once, and the VAE leaves the memory")


@rule(sets="memory.cache_text", source=SD_SCRIPTS)
def cache_text(_: Facts, config: TrainingConfig) -> Advice:
    """Only where the text encoder is not trained and captions stay as they are."""
    if config.optimizer.text_encoder_learning_rate > 0:
        return Advice(False, "the text encoder is trained, so what it says changes with every step")
    if captions_vary(config):
        return Advice(False, "captions are another each time (shuffled or dropped), so their text cannot be kept")
    return Advice(True, "the text encoder is not trained: each caption is read once, and it leaves the memory")


def _room(fitted: Fit) -> str:
    return f"about {gib(fitted.needed_bytes)} of {gib(fitted.free_bytes)} free"


BEFORE_FITTING = (cache_latents,)
"""What fitting must know."""

RULES = (optimizer_name, batch_size, gradient_accumulation, gradient_checkpointing, base_dtype, cache_text)
"""All read the same fit, which looks only at what stands before these."""

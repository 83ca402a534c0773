"""What decides whether it fits: batch, checkpointing, optimizer, base precision, caches."""

from __future__ import annotations

from dataclasses import replace

from advisor.estimate.tradeoffs import BASE, OPTIMIZER_8BIT, SPLIT, checkpointing
from advisor.facts import Facts
from advisor.rules.defaults_table import defaults_for
from advisor.rules.fitting import Fit, captions_vary, fit_without, saved_bytes, tried
from advisor.rules.rule import Advice, fitted_rule, rule
from advisor.rules.sources import ADAMW, CHECKPOINTING_STUDY, OURS, SD_SCRIPTS, TUTORIAL
from advisor.settings.config import TrainingConfig
from advisor.units import gib, size


@fitted_rule(sets="optimizer.name", source=ADAMW)
def optimizer_name(facts: Facts, config: TrainingConfig, fitted: Fit) -> Advice:
    """AdamW; its 8-bit form on a small card, or where only that fits."""
    if fitted.choice.optimizer == "adamw8bit":
        saved = size(saved_bytes(facts, config, fitted, optimizer="adamw"))
        return Advice(
            "adamw8bit", f"its memory of earlier steps in 8 bits saves {saved}; {OPTIMIZER_8BIT.summary}", OURS
        )
    if config.memory.preset == "low" and facts.gpu is not None:
        eight = replace(fitted.choice, optimizer="adamw8bit")
        more = size(fitted.needed_bytes - tried(facts, config, eight).needed_bytes)
        missing = "bitsandbytes is not installed" if facts.gpu.is_tested else f"{facts.gpu.name} is no NVIDIA card"
        return Advice("adamw", f"{missing}, so not its 8-bit form, which would save {more}; {_room(fitted)}")
    return Advice("adamw", f"{_room(fitted)}, so its 8-bit form would buy nothing")


@fitted_rule(sets="schedule.batch_size", source=TUTORIAL)
def batch_size(facts: Facts, config: TrainingConfig, fitted: Fit) -> Advice:
    """As large as fits, within the preset's range; of a batch that the user chose, what it would have been."""
    facts, fitted = fit_without(facts, config, fitted, "schedule.batch_size")
    preset = config.memory.preset
    least, most = defaults_for(config).batches[preset]
    value, needed = fitted.choice.batch_size, gib(fitted.needed_bytes)
    if facts.gpu is None:
        return Advice(value, f"a processor is no faster with more pictures at once; {_room(fitted)}", OURS)
    if value < least:
        larger = gib(fitted.needed_bytes + saved_bytes(facts, config, fitted, batch_size=least, accumulation=1))
        return Advice(value, f"{least} at once would need {larger}, and {gib(fitted.free_bytes)} are free", OURS)
    span = f"{least}" if least == most else f"{least} to {most}"
    return Advice(value, f"{preset} cards take {span}: {value} needs about {needed} of {gib(fitted.free_bytes)} free")


@fitted_rule(sets="schedule.gradient_accumulation", source=SD_SCRIPTS)
def gradient_accumulation(_: Facts, config: TrainingConfig, fitted: Fit) -> Advice:
    """More than 1 only where the batch had to fall below the preset's range."""
    value = fitted.choice.accumulation
    if value > 1:
        reason = f"{value} pictures one after the other make one step, as a batch of {value} would: {SPLIT.summary}"
        return Advice(value, reason, OURS)
    one = config.schedule.batch_size == 1
    held = "one picture at a time fits" if one else f"{config.schedule.batch_size} pictures fit at once"
    return Advice(1, f"{held}, so each batch is a step of its own")


@fitted_rule(sets="memory.gradient_checkpointing", source=CHECKPOINTING_STUDY)
def gradient_checkpointing(facts: Facts, config: TrainingConfig, fitted: Fit) -> Advice:
    """Off, unless the plan does not fit without; on SDXL the other way round."""
    facts, fitted = fit_without(facts, config, fitted, "memory.gradient_checkpointing")
    cost = checkpointing(config.model.family)
    if fitted.choice.checkpointing:
        saved = saved_bytes(facts, config, fitted, checkpointing=False)
        without = f"saves {size(saved)}: without it {gib(fitted.needed_bytes + saved)}"
        return Advice(True, f"{without} would be needed of {gib(fitted.free_bytes)} free; {cost.summary}")
    return Advice(
        False, f"{_room(fitted)} without it, and with it a step takes {cost.slowdown * 100 - 100:.0f} % longer"
    )


@fitted_rule(sets="memory.base_dtype", source=OURS)
def base_dtype(facts: Facts, config: TrainingConfig, fitted: Fit) -> Advice:
    """The compute dtype; fewer bits only where nothing else fits."""
    value, chosen = config.memory.compute_dtype, fitted.choice.base_dtype
    if chosen is None:
        return Advice(value, f"the base is not trained: it stays in {value}, as steps compute with it")
    saved = saved_bytes(facts, config, fitted, base_dtype=None)
    reason = f"{chosen} base: saves {size(saved)}, {BASE[chosen].summary}"
    if fitted.drawing_bytes:
        return Advice(chosen, f"{reason}; drawing samples would need {gib(fitted.drawing_bytes)} else")
    return Advice(
        chosen, f"{reason}; {value} would need {gib(fitted.needed_bytes + saved)} of {gib(fitted.free_bytes)} free"
    )


@rule(sets="memory.cache_latents", source=SD_SCRIPTS)
def cache_latents(facts: Facts, config: TrainingConfig) -> Advice:
    """On, unless each time another part of the picture is taken."""
    if config.dataset.random_crop:
        return Advice(False, "random crops show another part each time, so nothing can be kept")
    return Advice(True, f"{facts.dataset.num_images:,} pictures are encoded once, and the VAE leaves the memory")


@rule(sets="memory.cache_text", source=SD_SCRIPTS)
def cache_text(_: Facts, config: TrainingConfig) -> Advice:
    """Only where the text encoder is not trained and captions stay as they are."""
    if config.optimizer.trains_text_encoder:
        return Advice(False, "the text encoder is trained, so what it says changes with every step")
    if captions_vary(config):
        return Advice(False, "captions are another each time (shuffled or dropped), so their text cannot be kept")
    return Advice(True, "the text encoder is not trained: each caption is read once, and it leaves the memory")


def _room(fitted: Fit) -> str:
    if not fitted.fits:
        return f"about {gib(fitted.needed_bytes)} are needed and {gib(fitted.free_bytes)} free"
    return f"about {gib(fitted.needed_bytes)} of the {gib(fitted.free_bytes)} free are enough"


RULES = (optimizer_name, batch_size, gradient_accumulation, gradient_checkpointing, base_dtype)
"""All read the same fit, which looks only at what stands before these."""

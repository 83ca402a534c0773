"""What decides whether it fits: batch, checkpointing, optimizer, base precision, caches."""

from __future__ import annotations

from dataclasses import replace

from advisor.estimate.swapped_blocks import most_swapped
from advisor.estimate.tradeoffs import BASE, CHECKPOINTING, OPTIMIZER_8BIT, SWAPPING
from advisor.facts import Facts
from advisor.rules.bucket_sizes import largest_bucket
from advisor.rules.card_class import structure_of
from advisor.rules.defaults_table import EFFECTIVE_BATCH
from advisor.rules.fitting import (
    SPARE_SHARE,
    Fit,
    beside_free,
    captions_vary,
    fit_without,
    least_bytes,
    saved_bytes,
    slowdown_of,
    tags_vary,
    tried,
)
from advisor.rules.rule import Advice, fitted_rule, rule
from advisor.rules.sources import ADAMW, CHECKPOINTING_STUDY, OURS, SD_SCRIPTS, SD_SCRIPTS_ANIMA, TUTORIAL, VAE_TILING
from advisor.rules.vae_slices import DRAWING, VaeWork, encoding
from advisor.settings.config import TrainingConfig, setting
from advisor.units import counted, gib, size

TEXT_VARIANTS = 8
"""Forms of a caption that changes: in ten epochs each is seen once or twice, and a caption of 100 tokens takes 2 MB."""


@fitted_rule(sets="optimizer.name", source=ADAMW)
def optimizer_name(facts: Facts, config: TrainingConfig, fitted: Fit) -> Advice:
    """AdamW; its 8-bit form on a small card, or where only that fits."""
    if fitted.choice.optimizer == "adamw8bit":
        saved = size(saved_bytes(facts, config, fitted, optimizer="adamw"))
        return Advice(
            "adamw8bit",
            f"8-bit AdamW: what it keeps of earlier steps takes {saved} less; {OPTIMIZER_8BIT.result}",
            OURS,
        )
    if config.memory.preset == "low" and facts.gpu is not None:
        eight = replace(fitted.choice, optimizer="adamw8bit")
        more = size(fitted.needed_bytes - tried(facts, config, eight).needed_bytes)
        missing = "bitsandbytes is not installed" if facts.gpu.is_tested else f"{facts.gpu.name} is no NVIDIA card"
        return Advice("adamw", f"{missing}, so not 8-bit AdamW, which would save {more}; {_room(fitted)}")
    return Advice("adamw", f"{_room(fitted)}, so 8-bit AdamW would gain nothing")


@fitted_rule(sets="schedule.batch_size", source=TUTORIAL)
def batch_size(facts: Facts, config: TrainingConfig, fitted: Fit) -> Advice:
    """As many at once as is fastest and fits, up to 4; of a batch that the user chose, what it would have been."""
    facts, fitted = fit_without(facts, config, fitted, "schedule.batch_size")
    value, room = (
        fitted.choice.batch_size,
        f"needs about {gib(fitted.needed_bytes)} of the {gib(fitted.free_bytes)} free",
    )
    if facts.gpu is None:
        return Advice(value, f"a processor is no faster with more pictures at once; {_room(fitted)}", OURS)
    if value == EFFECTIVE_BATCH:
        return Advice(value, f"{value} at once, where the tutorial's usual 4 to 6 begin: {room}")
    whole = tried(facts, config, replace(fitted.choice, batch_size=EFFECTIVE_BATCH, accumulation=1))
    if not whole.fits:
        needed = beside_free(whole.needed_bytes, fitted.free_bytes)
        return Advice(value, f"{EFFECTIVE_BATCH} at once would need {needed}: {value} {room}", OURS)
    return Advice(value, f"{value} at once is faster than {EFFECTIVE_BATCH} on this card: {value} {room}", OURS)


@fitted_rule(sets="schedule.gradient_accumulation", source=OURS)
def gradient_accumulation(facts: Facts, config: TrainingConfig, fitted: Fit) -> Advice:
    """As many batches a step as make 4 pictures; 1 on a processor, and where the user chose the batch."""
    value, batch = fitted.choice.accumulation, config.schedule.batch_size
    if value > 1:
        made = f"{value} batches of {batch} make one step of {value * batch}"
        return Advice(value, f"{made}, so that it learns as on a card that takes {EFFECTIVE_BATCH} at once")
    if facts.gpu is None:
        return Advice(1, "each picture is a step: on a processor more a step would only take longer")
    return Advice(1, f"{counted(batch, 'picture')} at once fit, so each batch is a step of its own")


@fitted_rule(sets="memory.gradient_checkpointing", source=CHECKPOINTING_STUDY)
def gradient_checkpointing(facts: Facts, config: TrainingConfig, fitted: Fit) -> Advice:
    """Whatever is faster for a step of 4 pictures and fits: off with fewer at once, or on with more."""
    facts, fitted = fit_without(facts, config, fitted, "memory.gradient_checkpointing")
    if fitted.choice.checkpointing:
        saved = saved_bytes(facts, config, fitted, checkpointing=False)
        without = f"saves {size(saved)}: without it {gib(fitted.needed_bytes + saved)}"
        cost = CHECKPOINTING.summary(slowdown_of(facts, config, fitted, checkpointing=False))
        fewer = tried(
            facts, config, replace(fitted.choice, batch_size=1, accumulation=EFFECTIVE_BATCH, checkpointing=False)
        )
        slower = ", and fewer at once without it would take longer still" if fewer.fits else ""
        return Advice(True, f"{without} would be needed of {gib(fitted.free_bytes)} free; {cost}{slower}")
    with_it = tried(facts, config, replace(fitted.choice, checkpointing=True))
    longer = slowdown_of(facts, config, with_it, checkpointing=False)
    return Advice(False, f"{_room(fitted)} without it, and with it a step takes {longer.text}")


@fitted_rule(sets="memory.checkpointed_blocks", source=CHECKPOINTING_STUDY)
def checkpointed_blocks(facts: Facts, config: TrainingConfig, fitted: Fit) -> Advice:
    """In as few blocks as fit, counted from the first; the others are not computed a second time."""
    facts, fitted = fit_without(facts, config, fitted, "memory.checkpointed_blocks")
    number, blocks = structure_of(facts).whole_blocks, fitted.choice.blocks
    if not fitted.config.memory.gradient_checkpointing:
        return Advice(0, "nothing is computed a second time", origin="default")
    if blocks:
        whole = tried(facts, config, replace(fitted.choice, blocks=0))
        longer = slowdown_of(facts, config, whole, blocks=blocks)
        reason = f"in the first {blocks} of {number}: {_room(fitted)}; in all of them a step takes {longer.text}"
        return Advice(blocks, reason)
    if not fitted.choice.checkpointing or "memory.gradient_checkpointing" in facts.chosen_paths:
        return Advice(0, "checkpointing was chosen: in all blocks", origin="default")
    fewer = tried(facts, config, replace(fitted.choice, blocks=number - 1))
    if fewer.fits:
        return Advice(0, f"in all {number} blocks: a processor's memory is left to what else runs", OURS)
    needed = beside_free(fewer.needed_bytes, fitted.free_bytes)
    return Advice(0, f"in all {number} blocks: one fewer would need {needed}")


@fitted_rule(sets="memory.swapped_blocks", source=SD_SCRIPTS_ANIMA)
def swapped_blocks(facts: Facts, config: TrainingConfig, fitted: Fit) -> Advice:
    """None; where steps do not fit in nf4 either, as few as fit, before pictures are made smaller."""
    facts, fitted = fit_without(facts, config, fitted, "memory.swapped_blocks")
    blocks, most = fitted.config.memory.swapped_blocks, most_swapped(config, structure_of(facts))
    if not blocks:
        return Advice(0, "the denoiser has room where it is computed", origin="default")
    saved = saved_bytes(facts, config, fitted, swapped=0)
    cost = SWAPPING.summary(slowdown_of(facts, config, fitted, swapped=0))
    needed = beside_free(least_bytes(facts, config, fitted, swapped=0, base_dtype="nf4"), fitted.free_bytes)
    reason = (
        f"{blocks} of {most} blocks come from the machine's memory as they are computed: saves {size(saved)}, {cost}"
    )
    return Advice(blocks, f"{reason}; nf4 without it would need {needed}")


@fitted_rule(sets="memory.encode_slices", source=VAE_TILING)
def encode_slices(facts: Facts, config: TrainingConfig, fitted: Fit) -> Advice:
    """Whole pictures; where encoding them would not fit, in as few slices as do."""
    return _slices(facts, config, fitted, encoding(largest_bucket(facts, fitted.config)))


@fitted_rule(sets="memory.decode_slices", source=VAE_TILING)
def decode_slices(facts: Facts, config: TrainingConfig, fitted: Fit) -> Advice:
    """The same of drawing, which lies beside what a step needs."""
    return _slices(facts, config, fitted, DRAWING)


def _slices(facts: Facts, config: TrainingConfig, fitted: Fit, work: VaeWork) -> Advice:
    facts, fitted = fit_without(facts, config, fitted, work.path)
    slices = setting(fitted.config, work.path)
    needed, free = work.needed_bytes(facts, fitted.config, 1), fitted.free_bytes
    if slices > 1:
        return Advice(slices, f"{work.doing} whole pictures would need {beside_free(needed, free)}")
    if needed <= (1 - SPARE_SHARE) * free:
        return Advice(1, f"{work.doing} whole pictures needs about {gib(needed)} of the {gib(free)} free")
    return Advice(1, f"{work.doing} whole pictures needs {beside_free(needed, free)}; slices do not fit either")


@fitted_rule(sets="memory.base_dtype", source=OURS)
def base_dtype(facts: Facts, config: TrainingConfig, fitted: Fit) -> Advice:
    """The compute dtype; fewer bits only where nothing else fits."""
    value, chosen = config.memory.compute_dtype, fitted.choice.base_dtype
    if chosen is None:
        return Advice(value, f"the base is not trained: it stays in {value}, as steps compute with it")
    saved = saved_bytes(facts, config, fitted, base_dtype=None)
    cost = BASE[chosen].summary(slowdown_of(facts, config, fitted, base_dtype=None))
    reason = f"{chosen} base: saves {size(saved)}, {cost}"
    if fitted.drawing_bytes:
        return Advice(chosen, f"{reason}; drawing samples would need {gib(fitted.drawing_bytes)} else")
    needed = least_bytes(facts, config, fitted, base_dtype=None)
    return Advice(chosen, f"{reason}; {value} would need {beside_free(needed, fitted.free_bytes)}")


@rule(sets="memory.cache_latents", source=SD_SCRIPTS)
def cache_latents(facts: Facts, config: TrainingConfig) -> Advice:
    """On, unless each time another part of the picture is taken."""
    if config.dataset.random_crop:
        return Advice(False, "random crops show another part each time, so nothing can be kept")
    return Advice(True, f"{facts.dataset.num_images:,} pictures are encoded once, and the VAE leaves the memory")


@rule(sets="memory.cache_text", source=SD_SCRIPTS)
def cache_text(_: Facts, config: TrainingConfig) -> Advice:
    """Only where the text encoder is not trained and captions stay as they are; for flow matching bases always."""
    if config.model.prediction == "flow":
        reason = "each caption is read once, and the text encoder leaves the memory before the denoiser is loaded"
        return Advice(True, reason, SD_SCRIPTS_ANIMA)
    if config.optimizer.trains_text_encoder:
        return Advice(False, "the text encoder is trained, so what it says changes with every step")
    if captions_vary(config):
        return Advice(False, "captions are another each time (shuffled or dropped), so their text cannot be kept")
    return Advice(True, "the text encoder is not trained: each caption is read once, and it leaves the memory")


@rule(sets="memory.text_variants", source=OURS)
def text_variants(_: Facts, config: TrainingConfig) -> Advice:
    """Several forms of captions that change, for flow matching bases, whose text encoder is gone while it trains."""
    if config.model.prediction != "flow":
        return Advice(0, "only flow matching bases encode captions that change before they train", origin="default")
    if not tags_vary(config):
        return Advice(0, "each caption is the same every time, so it is encoded once", origin="default")
    return Advice(TEXT_VARIANTS, f"tags change each time: {TEXT_VARIANTS} forms of each caption take turns")


def _room(fitted: Fit) -> str:
    if not fitted.fits:
        return f"about {gib(fitted.needed_bytes)} are needed and {gib(fitted.free_bytes)} free"
    return f"about {gib(fitted.needed_bytes)} of the {gib(fitted.free_bytes)} free are enough"


RULES = (
    optimizer_name, batch_size, gradient_accumulation, gradient_checkpointing, checkpointed_blocks, swapped_blocks,
    base_dtype, encode_slices, decode_slices,
)  # fmt: skip
"""All read the same fit, which looks only at what stands before these."""

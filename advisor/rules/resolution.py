"""At which size pictures are learned."""

from __future__ import annotations

from advisor.estimate.tradeoffs import SMALLER_IMAGES
from advisor.facts import Facts
from advisor.rules import bucket_sizes
from advisor.rules.card_class import own_native_px, start_resolution, structure_of
from advisor.rules.defaults_table import SD1_TUTORIAL, defaults_for
from advisor.rules.fitting import Fit, beside_free, least_bytes, slowdown_of
from advisor.rules.rule import Advice, fitted_rule, rule
from advisor.rules.sources import OURS, SD_SCRIPTS, SD_SCRIPTS_SDXL, THE_MODEL, TUTORIAL
from advisor.settings.config import TrainingConfig


@fitted_rule(sets="dataset.resolution_px", source=TUTORIAL)
def resolution_px(facts: Facts, config: TrainingConfig, fitted: Fit) -> Advice:
    """What the preset and the base ask for, less where only that fits."""
    table, preset = defaults_for(config), config.memory.preset
    value, wanted = fitted.choice.resolution_px, start_resolution(facts, config, preset)
    if value < wanted:
        needed = least_bytes(facts, config, fitted, resolution_px=wanted, text_encoder=True)
        shortage = f"{wanted} px would need {beside_free(needed, fitted.free_bytes)}"
        return Advice(value, f"{shortage}; {_price(facts, config, fitted, wanted)}", OURS)
    if own_native_px(facts, config) is not None:
        return Advice(value, f"this base draws at {structure_of(facts).native_px} px: its own JSON says so", THE_MODEL)
    if table is SD1_TUTORIAL:
        taught = "the size that SD1.x was taught at"
        more = "an eighth more detail than 512, for which a high card has room" if value > 512 else taught
        return Advice(value, f"{more}; above 576 px it costs a lot of memory and may harm")
    if value < table.native_px:
        price = _price(facts, config, fitted, table.native_px)
        poor = f"{table.title} draws at {table.native_px} px, too much for a processor: expect a poor LoRA"
        return Advice(value, f"{poor}; {value} px: {price}", OURS)
    source = SD_SCRIPTS_SDXL if config.model.family == "sdxl" else OURS
    return Advice(value, f"the size that {table.title} bases draw at", source)


def _price(facts: Facts, config: TrainingConfig, fitted: Fit, wanted_px: int) -> str:
    """What smaller pictures than wanted cost and save."""
    return SMALLER_IMAGES.summary(slowdown_of(facts, config, fitted, resolution_px=wanted_px))


@rule(sets="dataset.bucket_step_px", source=SD_SCRIPTS)
def bucket_step_px(facts: Facts, config: TrainingConfig) -> Advice:
    """64; in proportion for a base of another size, but nothing that its U-Net cannot halve."""
    own, value = own_native_px(facts, config), bucket_sizes.bucket_step_px(facts, config)
    if own is None:
        halvings = structure_of(facts).halvings
        if not halvings:
            least = structure_of(facts).side_unit_px
            return Advice(
                value,
                f"sides are multiples of {value}, as those of the pictures that bases learned from; "
                f"this base would take multiples of {least}",
                OURS,
            )
        return Advice(value, f"sides are multiples of {value}, which the U-Net can halve {halvings} times")
    unit = bucket_sizes.halving_unit_px(facts)
    return Advice(value, f"64 in proportion to a base of {own} px; its U-Net needs multiples of {unit}", OURS)


@rule(sets="dataset.min_bucket_px", source=SD_SCRIPTS)
def min_bucket_px(facts: Facts, config: TrainingConfig) -> Advice:
    """The table's, in proportion for a base of another size, never above the resolution."""
    value = bucket_sizes.min_bucket_px(facts, config)
    return Advice(value, f"a side shorter than {value} px shows {defaults_for(config).title} too little to learn from")


@rule(sets="dataset.max_bucket_px", source=SD_SCRIPTS)
def max_bucket_px(facts: Facts, config: TrainingConfig) -> Advice:
    """The table's, in proportion for a base of another size, never below the resolution."""
    value = bucket_sizes.max_bucket_px(facts, config)
    return Advice(value, f"banners longer than {value} px are cropped: the base never drew such")


@rule(sets="dataset.upscale_tolerance", source=OURS)
def upscale_tolerance(facts: Facts, config: TrainingConfig) -> Advice:
    """0.1 where pictures a little smaller than a training size would lose more than a tenth of themselves; else 0."""
    if config.dataset.bucket_upscale:
        return Advice(0.0, "all small pictures are enlarged to the resolution anyhow", origin="default")
    gain = bucket_sizes.largest_gain(facts, config)
    if gain is None:
        return Advice(0.0, "no picture is so little smaller than a training size that much of it would be cropped")
    lost = f"of {gain.size[0]} x {gain.size[1]} {gain.cropped:.0%} would be cropped away"
    reason = (
        f"some pictures are a little smaller than a training size: {lost}, enlarged a little {gain.then_cropped:.0%}"
    )
    return Advice(bucket_sizes.UPSCALE_TOLERANCE, reason)


BUCKETS = (bucket_step_px, min_bucket_px, max_bucket_px, upscale_tolerance)
"""These follow the resolution."""

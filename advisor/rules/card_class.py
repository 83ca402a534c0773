"""Where a plan starts, by the class of card: the tutorial's two configuration files, one below and one beside them."""

from __future__ import annotations

from advisor.errors import ModelError
from advisor.facts import Facts
from advisor.families import family
from advisor.families.structure import Structure
from advisor.machine.hardware import Gpu
from advisor.rules.defaults_table import defaults_for
from advisor.settings.config import RESOLUTION_STEP_PX, Preset, TrainingConfig
from advisor.units import GIB, rounded

MEDIUM_FROM_BYTES = int(7.5 * GIB)
"""A card sold as 8 GB reports a little less than 8 GiB."""

HIGH_FROM_BYTES = int(11.5 * GIB)
"""Likewise 12 GB."""


def preset_of(gpu: Gpu | None) -> Preset:
    """The preset for a card's total memory; `cpu` without a card."""
    if gpu is None:
        return "cpu"
    if gpu.total_bytes < MEDIUM_FROM_BYTES:
        return "low"
    return "medium" if gpu.total_bytes < HIGH_FROM_BYTES else "high"


def structure_of(facts: Facts) -> Structure:
    """The base model's measures; the family's usual ones where the file tells too little.

    Raises:
        ModelError: neither is known.
    """
    known = facts.model.structure or (family(facts.model.family).standard if facts.model.family else None)
    if known is None:
        raise ModelError(f"{facts.model.path} does not tell how its networks are built: choose an SD1.x base model")
    return known


def own_native_px(facts: Facts, config: TrainingConfig) -> int | None:
    """The base's native size where its JSON tells another than its family's; None otherwise."""
    structure = facts.model.structure
    if structure is None or facts.model.layout != "diffusers" or not facts.model.family:
        return None
    usual = {defaults_for(config).native_px, family(facts.model.family).native_px}
    return None if structure.native_px in usual else structure.native_px


def start_resolution(facts: Facts, config: TrainingConfig, preset: Preset) -> int:
    """The resolution that a plan starts from, before memory is looked at."""
    own = own_native_px(facts, config)
    if own is not None:
        return max(RESOLUTION_STEP_PX, own // RESOLUTION_STEP_PX * RESOLUTION_STEP_PX)
    table = defaults_for(config)
    return table.resolutions.get(preset, table.native_px)


def text_rate(config: TrainingConfig) -> float:
    """The text encoder's rate: the table's share of the learning rate; 0 where it is not trained, as for a style and of
    flow matching bases.

    Prodigy has one rate for all, so there it is that one or 0.
    """
    is_never_trained = config.run.subject == "style" or config.model.prediction == "flow"
    share = 0.0 if is_never_trained else defaults_for(config).text_share
    if share and config.optimizer.name == "prodigy":
        return config.optimizer.learning_rate
    return rounded(share * config.optimizer.learning_rate)

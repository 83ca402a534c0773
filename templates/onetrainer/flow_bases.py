"""What OneTrainer has for each base model of flow matching that its files are written and read for.

Observed on OneTrainer of August 2026: its presets, `AnimaModelLoader`, `ZImageModelLoader` and `LoRASaverMixin`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class FlowBase:
    """One such family."""

    folder: str
    """Where OneTrainer's preset takes text encoder, VAE and tokenizer from, beside a denoiser's file."""
    filters: str
    """`layer_filter`: what the names of the layers that a plain LoRA adapts have in them, as the preset has it."""
    filters_are_patterns: bool
    """`layer_filter_regex`."""
    prefixes: tuple[str, ...]
    """What may stand before the names in a denoiser's file."""
    parts: str
    """What beside the denoiser comes from the folder."""
    diffusers_reads_alpha: bool
    """diffusers' loader takes a LoRA with an alpha beside the weights."""


FLOW_BASES: Mapping[str, FlowBase] = {
    "anima": FlowBase(
        "circlestone-labs/Anima-Base-v1.0-Diffusers",
        "attn1,attn2,ff",
        filters_are_patterns=False,
        prefixes=("net.", ""),
        parts="text encoder, text adapter and VAE",
        diffusers_reads_alpha=False,
    ),
    "z_image": FlowBase(
        "Tongyi-MAI/Z-Image",
        "^(?=.*attention)(?!.*refiner).*,^(?=.*feed_forward)(?!.*refiner).*",
        filters_are_patterns=True,
        prefixes=("", "model.diffusion_model."),
        parts="text encoder and VAE",
        diffusers_reads_alpha=True,
    ),
}
"""By our name of the family."""

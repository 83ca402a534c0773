"""What ai-toolkit has for each base model of flow matching that its jobs are written and read for.

Observed on ai-toolkit of August 2026: `AnimaModel`, `ZImageModel`, `LoRASpecialNetwork`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class FlowBase:
    """One such family."""

    layers: tuple[str, ...]
    """`only_if_contains`: parts of the names of the layers that a plain LoRA of ours adapts."""
    step_px: int
    """Sides of its sizes are multiples of this."""
    text_layers: tuple[str, ...] = ()
    """The same of the layers between text encoder and denoiser."""
    prefixes: tuple[str, ...] = ()
    """What may stand before the names in a single file; empty: it reads diffusers folders alone."""
    other_parts: str = ""
    """Where text encoder and VAE come from beside a single file."""


FLOW_BASES: Mapping[str, FlowBase] = {
    "anima": FlowBase(("attn1", "attn2", ".ff."), 32, text_layers=("text_conditioner.blocks",)),
    "z_image": FlowBase(("attention.to_", "feed_forward."), 16, prefixes=("",), other_parts="Tongyi-MAI/Z-Image-Turbo"),
}
"""By our name of the family. In Z-Image's refiners, which have such names too, ai-toolkit adapts nothing."""

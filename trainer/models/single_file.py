"""Checkpoints that hold all networks in one .safetensors file, in the layout of the first latent diffusion code."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from advisor.families.stable_diffusion import StableDiffusionStructure, VaeStructure
from advisor.families.unet import UNetStructure
from advisor.settings.config import QuantisedDtype
from trainer.models.clip_text import text_root
from trainer.models.ldm_keys import unet_key, vae_key
from trainer.models.open_clip_keys import open_clip_source
from trainer.models.weight_files import (
    Source,
    Sources,
    Weights,
    fill,
    fill_positions,
    named,
    open_weights,
    refuse_missing,
    refuse_unexpected,
)

SILENT_LEFTOVERS = re.compile(r"(^|\.)position_ids$|^(v_pred|ztsnr)$")
"""A numbering that nearly every file holds and nobody needs, and marks that `identify` has read."""
LEFTOVERS = re.compile(
    r"^model_ema\.|(^|\.)logit_scale$|(^|\.)text_projection(\.weight)?$|^first_stage_model\.loss\.|(^|[._])lora_"
    r"|^(betas|alphas_cumprod(_prev)?|sqrt_.*|log_one_minus_.*|posterior_.*|lvlb_weights|logvar)$"
)
"""What public files hold beside the networks: averages, schedules, parts of CLIP, stray adapters."""


@dataclass(frozen=True)
class SingleFileLayout:
    """Where a family's networks are in the file: prefixes of names, with their point."""

    unet: str
    vae: str
    text: tuple[tuple[str, ...], ...]
    """For each text encoder the prefixes that occur, the most specific first."""
    open_clip: tuple[bool, ...] = (False,)
    """Which of the text encoders are in OpenCLIP's layout."""
    unused: Callable[[StableDiffusionStructure], tuple[str, ...]] = lambda _: ()
    """What names begin with that genuine files hold besides and nobody needs: passed over without a word."""


@dataclass(frozen=True)
class Networks:
    """What is to be filled: networks built on `meta`."""

    unet: nn.Module
    vae: nn.Module
    text_encoders: tuple[nn.Module, ...]


def load_single_file(
    networks: Networks,
    path: Path,
    structure: StableDiffusionStructure,
    layout: SingleFileLayout,
    *,
    dtype: torch.dtype,
    vae_dtype: torch.dtype,
    device: torch.device,
    with_vae: bool = True,
    quantised: QuantisedDtype | None = None,
) -> tuple[str, ...]:
    """Fill the networks from the file; returns notes for the user.

    Args:
        with_vae: the file's VAE is wanted; otherwise its weights are passed over.
        quantised: what the U-Net's layers are kept in.

    Raises:
        ModelError: a weight is missing, unexpected or of another shape.
    """
    with open_weights([path], path) as weights:
        parts: list[tuple[nn.Module, Sources, torch.dtype]] = [
            (networks.unet, _unet_names(networks.unet, structure.unet, layout.unet), dtype)
        ]
        texts = zip(networks.text_encoders, layout.text, layout.open_clip, strict=True)
        for text_encoder, prefixes, is_open_clip in texts:
            parts.append((text_encoder, _text_names(text_encoder, prefixes, weights, is_open_clip), dtype))
        if with_vae:
            parts.append((networks.vae, vae_names(networks.vae, structure.vae, layout.vae), vae_dtype))
        used = {source.name for _, sources, _ in parts for source in sources.values()}
        notes = _leftovers(weights, used, structure, layout, with_vae=with_vae)
        refuse_missing([name for name in used if name not in weights.names], path)
        for network, sources, network_dtype in parts:
            packed = quantised if network is networks.unet else None
            fill(network, sources, weights, dtype=network_dtype, device=device, quantised=packed)
    for text_encoder in networks.text_encoders:
        fill_positions(text_encoder, device)
    return notes


def vae_names(vae: nn.Module, structure: VaeStructure, prefix: str) -> dict[str, Source]:
    """For each weight of the VAE its place in the file."""
    return _sources(vae, lambda key: Source(prefix + vae_key(key, structure)))


def _unet_names(unet: nn.Module, structure: UNetStructure, prefix: str) -> dict[str, Source]:
    return _sources(unet, lambda key: Source(prefix + unet_key(key, structure)))


def _text_names(
    text_encoder: nn.Module, prefixes: tuple[str, ...], weights: Weights, is_open_clip: bool
) -> dict[str, Source]:
    """The names follow from the family's table; what transformers puts before them differs between its versions."""
    prefix = next((prefix for prefix in prefixes if any(n.startswith(prefix) for n in weights.names)), prefixes[0])
    own = "text_model." if text_root(text_encoder) is not text_encoder else ""
    if is_open_clip:
        return _sources(text_encoder, lambda key: open_clip_source(key.removeprefix(own), prefix, weights.names))
    return _sources(text_encoder, lambda key: Source(prefix + key.removeprefix(own)))


def _sources(network: nn.Module, source: Callable[[str], Source]) -> dict[str, Source]:
    return {key: source(key) for key in network.state_dict()}


def _leftovers(
    weights: Weights, used: set[str], structure: StableDiffusionStructure, layout: SingleFileLayout, *, with_vae: bool
) -> tuple[str, ...]:
    """A note on names that are not used; an unknown one inside a network that we use is refused."""
    ours = (layout.unet, *(prefix for prefixes in layout.text for prefix in prefixes), *([layout.vae] * with_vae))
    rest = [name for name in weights.names - used if not SILENT_LEFTOVERS.search(name)]
    rest = [name for name in rest if not name.startswith(layout.unused(structure))]
    refuse_unexpected([name for name in rest if name.startswith(ours) and not LEFTOVERS.search(name)], weights.where)
    noted = [name for name in rest if with_vae or not name.startswith(layout.vae)]
    return (f"the base model holds weights that training does not need: {named(noted)}",) * bool(noted)

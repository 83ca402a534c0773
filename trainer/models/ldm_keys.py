"""What the weights of U-Net and VAE are called in single-file checkpoints, the layout of the first latent diffusion
code, given what diffusers calls them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from advisor.families.lora_targets import unet_units
from advisor.families.stable_diffusion import VaeStructure
from advisor.families.unet import UNetStructure

UNET_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
"""Layers of a residual block in the U-Net."""
VAE_INNER = {
    "conv_shortcut": "nin_shortcut",
    "group_norm": "norm",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "to_out.0": "proj_out",
}
"""Layers of a residual or attention block in the VAE whose names differ."""
UNET_ENDS = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
"""What comes before and after the U-Net's levels."""


def unet_key(key: str, structure: UNetStructure) -> str:
    """The file's name (without `model.diffusion_model.`) for diffusers' name of a weight."""
    return _renamed(key, unet_prefixes(structure), UNET_RESNET, within="resnets")


def vae_key(key: str, structure: VaeStructure) -> str:
    """The file's name (without `first_stage_model.`) for diffusers' name of a weight."""
    return _renamed(key, vae_prefixes(structure), VAE_INNER, within="")


@cache
def unet_prefixes(structure: UNetStructure) -> Mapping[str, str]:
    """Where each block of the U-Net is in the file."""
    prefixes = dict(UNET_ENDS)
    for unit in unet_units(structure):
        if unit.piece == "downsample":
            prefixes[f"{unit.path}.conv"] = f"{unit.ldm}.op"
        else:
            prefixes[unit.path] = unit.ldm
    return MappingProxyType(prefixes)


@cache
def vae_prefixes(structure: VaeStructure) -> Mapping[str, str]:
    """Where each block of the VAE is in the file."""
    prefixes = dict[str, str]()
    num_levels, num_layers = len(structure.block_out_channels), structure.layers_per_block
    for level in range(num_levels):
        down, up = f"encoder.down_blocks.{level}", f"decoder.up_blocks.{level}"
        ldm_down, ldm_up = f"encoder.down.{level}", f"decoder.up.{num_levels - 1 - level}"
        prefixes |= {f"{down}.resnets.{layer}": f"{ldm_down}.block.{layer}" for layer in range(num_layers)}
        prefixes |= {f"{up}.resnets.{layer}": f"{ldm_up}.block.{layer}" for layer in range(num_layers + 1)}
        prefixes[f"{down}.downsamplers.0.conv"] = f"{ldm_down}.downsample.conv"
        prefixes[f"{up}.upsamplers.0.conv"] = f"{ldm_up}.upsample.conv"
    for half in ("encoder", "decoder"):
        prefixes |= {
            f"{half}.mid_block.resnets.0": f"{half}.mid.block_1",
            f"{half}.mid_block.attentions.0": f"{half}.mid.attn_1",
            f"{half}.mid_block.resnets.1": f"{half}.mid.block_2",
            f"{half}.conv_norm_out": f"{half}.norm_out",
        }
    return MappingProxyType(prefixes)


def _renamed(key: str, prefixes: Mapping[str, str], inner: Mapping[str, str], *, within: str) -> str:
    """The key with its block's name changed, and within blocks named `within` the layer's name too."""
    module, _, weight = key.rpartition(".")
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        prefix = ".".join(parts[:length])
        if prefix in prefixes:
            rest = ".".join(parts[length:])
            if not within or within in parts[:length]:
                rest = inner.get(rest, rest)
            return ".".join(part for part in (prefixes[prefix], rest, weight) if part)
    return key

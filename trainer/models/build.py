"""Networks of any size, from a structure and the family's configuration; their weights are not worth having."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from advisor.errors import ModelError
from advisor.families.stable_diffusion import TextStructure, VaeStructure
from advisor.families.unet import UNetStructure
from advisor.shown_text import short_text
from trainer.models.attention import use_plain_attention

Config = dict[str, Any]


def asset_config(family: str, network: str) -> Config:
    """The configuration of a family's full-size network that comes with this package."""
    text = files("trainer").joinpath("assets", family, f"{network}.json").read_text(encoding="utf-8")
    config: Config = json.loads(text)
    return config


def build_unet(structure: UNetStructure, config: Mapping[str, Any]) -> nn.Module:
    """A U-Net of this structure; all else is from `config`, in diffusers' names."""
    depths = structure.transformer_depth
    has_attention = [depth > 0 for depth in depths]
    own = {
        "in_channels": structure.in_channels,
        "out_channels": structure.out_channels,
        "block_out_channels": structure.block_out_channels,
        "layers_per_block": structure.layers_per_block,
        # A level without attention has a number all the same; the middle takes the last level's.
        "transformer_layers_per_block": tuple(depth or structure.mid_depth or 1 for depth in depths),
        "cross_attention_dim": structure.cross_attention_dim,
        # diffusers' name for the number of heads: github.com/huggingface/diffusers/issues/2011
        "attention_head_dim": structure.heads,
        "use_linear_projection": structure.linear_projection,
        "norm_num_groups": structure.norm_groups,
        "down_block_types": tuple("CrossAttnDownBlock2D" if has else "DownBlock2D" for has in has_attention),
        "up_block_types": tuple("CrossAttnUpBlock2D" if has else "UpBlock2D" for has in reversed(has_attention)),
        "mid_block_type": "UNetMidBlock2DCrossAttn" if structure.mid_attention else "UNetMidBlock2D",
    }
    unet = UNet2DConditionModel(**_own_fields(UNet2DConditionModel, config) | own)
    use_plain_attention(unet)
    return unet  # type: ignore[no-any-return]


def build_vae(structure: VaeStructure, config: Mapping[str, Any]) -> nn.Module:
    """A VAE of this structure; all else is from `config`, in diffusers' names."""
    num_levels = len(structure.block_out_channels)
    own = {
        "block_out_channels": structure.block_out_channels,
        "latent_channels": structure.latent_channels,
        "layers_per_block": structure.layers_per_block,
        "norm_num_groups": structure.norm_groups,
        "mid_block_add_attention": structure.mid_attention,
        "scaling_factor": structure.scaling_factor,
        "shift_factor": structure.shift_factor or None,
        "use_quant_conv": structure.quant_conv,
        "use_post_quant_conv": structure.quant_conv,
        "down_block_types": ("DownEncoderBlock2D",) * num_levels,
        "up_block_types": ("UpDecoderBlock2D",) * num_levels,
    }
    return AutoencoderKL(**_own_fields(AutoencoderKL, config) | own)  # type: ignore[no-any-return]


def build_text_encoder(structure: TextStructure, config: Mapping[str, Any], *, projected: bool = False) -> nn.Module:
    """A CLIP text encoder of this structure; all else is from `config`, in transformers' names.

    Args:
        projected: with the layer that makes one vector of a whole caption.
    """
    own = {
        "hidden_size": structure.width,
        "num_hidden_layers": structure.layers,
        "num_attention_heads": structure.heads,
        "intermediate_size": structure.mlp_width,
        "vocab_size": structure.vocab_size,
        "max_position_embeddings": structure.max_positions,
        "hidden_act": structure.activation,
        "attention_dropout": 0.0,
    }
    rest = {name: config[name] for name in ("layer_norm_eps", "projection_dim") if name in config}
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        # They serve only transformers' own pooling; a small vocabulary may lack CLIP's.
        number = config.get(name)
        rest[name] = number if isinstance(number, int) and number < structure.vocab_size else None
    if projected:
        own["projection_dim"] = structure.projection or structure.width
    kind = CLIPTextModelWithProjection if projected else CLIPTextModel
    return kind(CLIPTextConfig(**rest | own, attn_implementation="sdpa"))  # type: ignore[no-any-return]


@contextmanager
def building(device: torch.device, dtype: torch.dtype) -> Iterator[None]:
    """Within it, modules are made on this device and in this dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with device:
            yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def refusing_impossible(path: Path) -> Iterator[None]:
    """Within it, networks are built to the measures of the model at `path`.

    Raises:
        ModelError: no network can have them, e.g. a width that the norms' groups do not divide.
    """
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # whatever the libraries' own checks, or torch's, raise
        reason = short_text(str(error))
        raise ModelError(
            f"{path} tells measures that no network can have ({reason}): download it again, or choose another model"
        ) from error


def _own_fields(model: Any, config: Mapping[str, Any]) -> Config:
    """What the model's constructor takes of a configuration file, which also holds names and versions."""
    fields: Config = model.extract_init_dict(dict(config))[0]
    return fields

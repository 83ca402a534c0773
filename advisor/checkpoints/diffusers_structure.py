"""The measures of a diffusers folder's networks, from their JSON files alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from advisor.checkpoints.diffusers_json import MAX_LAYERS, ModelJson
from advisor.families.stable_diffusion import StableDiffusionStructure, TextStructure, VaeStructure
from advisor.families.structure import Prediction
from advisor.families.unet import UNetStructure
from advisor.shown_text import short, short_text


class Unusual(ValueError):
    """A network is built in a way that `Structure` has no words for; the message says in which."""


@dataclass(frozen=True)
class FolderJson:
    """The configurations that the measures come from."""

    unet: ModelJson
    vae: ModelJson
    text: tuple[ModelJson, ...]


_DOWN = {"DownBlock2D": False, "CrossAttnDownBlock2D": True}
_UP = {"UpBlock2D": False, "CrossAttnUpBlock2D": True}
_MIDDLE = {"UNetMidBlock2D": False, "UNetMidBlock2DCrossAttn": True}
_USUAL_UNET: Mapping[str, object] = {
    "act_fn": "silu",
    "attention_type": "default",
    "class_embed_type": None,
    "conv_in_kernel": 3,
    "conv_out_kernel": 3,
    "cross_attention_norm": None,
    "downsample_padding": 1,
    "dual_cross_attention": False,
    "encoder_hid_dim": None,
    "encoder_hid_dim_type": None,
    "num_attention_heads": None,
    "num_class_embeds": None,
    "only_cross_attention": False,
    "resnet_time_scale_shift": "default",
    "reverse_transformer_layers_per_block": None,
    "time_cond_proj_dim": None,
    "time_embedding_dim": None,
    "time_embedding_type": "positional",
}
"""What changes layers or their shapes, and its usual value."""
_USUAL_VAE: Mapping[str, object] = {"act_fn": "silu", "in_channels": 3, "out_channels": 3}


def folder_structure(found: FolderJson, native_px: int, prediction: Prediction | None) -> StableDiffusionStructure:
    """The measures of all networks; `native_px` counts where the U-Net's JSON tells no sample size.

    Raises:
        Unusual: a network is built otherwise than this version can describe.
        ModelError: a value cannot be.
    """
    vae = _vae(found.vae)
    sample = found.unet.table.get("sample_size")
    if isinstance(sample, int) and not isinstance(sample, bool) and sample > 0:
        native_px = found.unet.integer("sample_size", sample) * vae.factor
    return StableDiffusionStructure(
        unet=_unet(found.unet),
        text=tuple(_text(text) for text in found.text),
        vae=vae,
        native_px=native_px,
        prediction=prediction,
    )


def _unet(config: ModelJson) -> UNetStructure:
    _check_usual(config, _USUAL_UNET)
    channels = config.integers("block_out_channels", (320, 640, 1280, 1280))
    attends = _levels(config, channels)
    depths = config.per_level("transformer_layers_per_block", 1, len(channels), MAX_LAYERS)
    layers = set(config.per_level("layers_per_block", 2, len(channels), MAX_LAYERS))
    contexts = set(config.per_level("cross_attention_dim", 1280, len(channels)))
    middle = config.text("mid_block_type", "UNetMidBlock2DCrossAttn")
    if len(layers) > 1 or len(contexts) > 1:
        raise Unusual("its levels differ in layers_per_block or cross_attention_dim")
    if middle not in _MIDDLE or ("mid_block_type" in config.table and config.table["mid_block_type"] is None):
        raise Unusual(f"its mid_block_type is {short(config.table.get('mid_block_type'))}")
    unet = UNetStructure(
        in_channels=config.integer("in_channels", 4),
        out_channels=config.integer("out_channels", 4),
        block_out_channels=channels,
        transformer_depth=tuple(depth if one else 0 for depth, one in zip(depths, attends, strict=True)),
        layers_per_block=layers.pop(),
        cross_attention_dim=contexts.pop(),
        heads=config.per_level("attention_head_dim", 8, len(channels)),
        linear_projection=config.flag("use_linear_projection", False),
        norm_groups=config.integer("norm_num_groups", 32),
        mid_attention=_MIDDLE[middle],
    )
    if unet.mid_attention and unet.mid_depth != depths[-1]:
        raise Unusual(f"the attention of its middle has {depths[-1]} blocks")
    return unet


def _levels(config: ModelJson, channels: tuple[int, ...]) -> tuple[bool, ...]:
    """Which levels have attention; the way up must mirror the way down."""
    down = config.texts("down_block_types", ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",))
    up = config.texts("up_block_types", ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3)
    strange = [name for name in (*down, *up) if name not in _DOWN and name not in _UP]
    if strange:
        raise Unusual(f"it has blocks of the kind {short_text(strange[0])}")
    attends = tuple(_DOWN.get(name) for name in down)
    if len(down) != len(channels) or attends != tuple(_UP.get(name) for name in reversed(up)):
        raise Unusual("its blocks on the way up do not mirror those on the way down")
    return tuple(bool(one) for one in attends)


def _vae(config: ModelJson) -> VaeStructure:
    _check_usual(config, _USUAL_VAE)
    channels = config.integers("block_out_channels", (64,))
    strange = {*config.texts("down_block_types", ())} - {"DownEncoderBlock2D"}
    if strange:
        raise Unusual(f"its VAE has blocks of the kind {short_text(min(strange))}")
    return VaeStructure(
        block_out_channels=channels,
        latent_channels=config.integer("latent_channels", 4),
        layers_per_block=config.integer("layers_per_block", 1, MAX_LAYERS),
        norm_groups=config.integer("norm_num_groups", 32),
        mid_attention=config.flag("mid_block_add_attention", True),
        scaling_factor=config.number("scaling_factor", 0.18215),
    )


def _text(config: ModelJson) -> TextStructure:
    kind = config.text("model_type", "clip_text_model")
    if kind not in ("clip_text_model", "clip"):
        raise Unusual(f"its text encoder is a {short_text(kind)}")
    projected = "CLIPTextModelWithProjection" in config.texts("architectures", ())
    return TextStructure(
        width=config.integer("hidden_size", 512),
        layers=config.integer("num_hidden_layers", 12, MAX_LAYERS),
        heads=config.integer("num_attention_heads", 8),
        mlp_width=config.integer("intermediate_size", 2048),
        vocab_size=config.integer("vocab_size", 49408),
        max_positions=config.integer("max_position_embeddings", 77),
        activation=config.text("hidden_act", "quick_gelu"),
        projection=config.integer("projection_dim", 512) if projected else None,
    )


def _check_usual(config: ModelJson, usual: Mapping[str, object]) -> None:
    for key, value in usual.items():
        if key in config.table and config.table[key] != value:
            raise Unusual(f"its {config.path.parent.name}/{config.path.name} has {key} = {short(config.table[key])}")

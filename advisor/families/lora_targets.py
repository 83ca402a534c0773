"""The layers that get an adapter: of a U-Net, under their diffusers names and the original LDM names, and of CLIP text
encoders.

Names and their order are those of kohya's sd-scripts: its networks are walked down, up, middle (SD1, SD2; diffusers
names) or input, middle, output (SDXL; LDM names), and within a block attentions come before residual blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from advisor.families.stable_diffusion import TextStructure
from advisor.families.structure import LoraTarget
from advisor.families.unet import UNetStructure

Piece = Literal["attention", "resnet", "downsample", "upsample"]
_SECTIONS = ("down_blocks", "up_blocks", "mid_block")
_PIECES: tuple[Piece, ...] = ("attention", "resnet", "downsample", "upsample")


@dataclass(frozen=True)
class Unit:
    """One attention, residual block or sampler of the U-Net."""

    piece: Piece
    path: str
    """In diffusers, e.g. `down_blocks.0.attentions.1`."""
    ldm: str
    """In the original code and in single files, e.g. `input_blocks.2.1`."""
    in_channels: int
    out_channels: int
    depth: int = 0
    """Transformer blocks of an attention."""


@dataclass(frozen=True)
class _Layer:
    path: str
    ldm: str
    in_features: int
    out_features: int
    kernel: int


def unet_units(unet: UNetStructure) -> Iterator[Unit]:
    """Attentions, residual blocks and samplers in the order of the forward pass."""
    yield from _down(unet)
    yield from _middle(unet)
    yield from _up(unet)


def clip_targets(
    text: TextStructure, prefix: str, part: Literal["text_encoder", "text_encoder_2"] = "text_encoder"
) -> tuple[LoraTarget, ...]:
    """Attention projections and the two MLP layers of each block; `prefix` is `lora_te`, `lora_te1` or `lora_te2`."""
    width, mlp = text.width, text.mlp_width
    layers = (
        ("self_attn.k_proj", width, width),
        ("self_attn.v_proj", width, width),
        ("self_attn.q_proj", width, width),
        ("self_attn.out_proj", width, width),
        ("mlp.fc1", width, mlp),
        ("mlp.fc2", mlp, width),
    )
    paths = [
        (f"text_model.encoder.layers.{number}.{name}", in_features, out_features)
        for number in range(text.layers)
        for name, in_features, out_features in layers
    ]
    return tuple(
        LoraTarget(f"{prefix}_{path.replace('.', '_')}", part, path, in_features, out_features)
        for path, in_features, out_features in paths
    )


def _num_inputs(unet: UNetStructure) -> int:
    """The first convolution, the residual blocks and the samplers between levels."""
    levels = len(unet.block_out_channels)
    return 1 + levels * unet.layers_per_block + levels - 1


def diffusers_targets(unet: UNetStructure, *, conv: bool) -> tuple[LoraTarget, ...]:
    """The layers kohya adapts in SD1 and SD2, named as diffusers names the modules."""
    units = sorted(unet_units(unet), key=_diffusers_order)
    return tuple(
        _target(layer, f"lora_unet_{layer.path.replace('.', '_')}", _block(unit, unet, middle=1))
        for unit in units
        for layer in _layers(unit, unet, conv)
    )


def ldm_targets(unet: UNetStructure, *, conv: bool) -> tuple[LoraTarget, ...]:
    """The layers kohya adapts in SDXL, named as the original code names the modules."""
    return tuple(
        _target(layer, f"lora_unet_{layer.ldm.replace('.', '_')}", _block(unit, unet, middle=3))
        for unit in unet_units(unet)
        for layer in _layers(unit, unet, conv)
    )


def _target(layer: _Layer, name: str, block: int) -> LoraTarget:
    return LoraTarget(name, "unet", layer.path, layer.in_features, layer.out_features, layer.kernel, block)


def _block(unit: Unit, unet: UNetStructure, *, middle: int) -> int:
    """The unit's block, with the middle counted as one (SD1, SD2) or as three (SDXL)."""
    section, place = unit.ldm.split(".")[:2]
    if section == "input_blocks":
        return int(place)
    if section == "middle_block":
        return _num_inputs(unet) + (int(place) if middle > 1 else 0)
    return _num_inputs(unet) + middle + int(place)


def _diffusers_order(unit: Unit) -> tuple[int, int, int]:
    section, _, rest = unit.path.partition(".")
    block = int(rest.split(".")[0]) if section != "mid_block" else 0
    return _SECTIONS.index(section), block, _PIECES.index(unit.piece)


def _down(unet: UNetStructure) -> Iterator[Unit]:
    place, channels = 1, unet.block_out_channels[0]
    for level, width in enumerate(unet.block_out_channels):
        block, depth = f"down_blocks.{level}", unet.transformer_depth[level]
        for layer in range(unet.layers_per_block):
            yield Unit("resnet", f"{block}.resnets.{layer}", f"input_blocks.{place}.0", channels, width)
            if depth:
                yield Unit("attention", f"{block}.attentions.{layer}", f"input_blocks.{place}.1", width, width, depth)
            channels, place = width, place + 1
        if level + 1 < len(unet.block_out_channels):
            yield Unit("downsample", f"{block}.downsamplers.0", f"input_blocks.{place}.0", width, width)
            place += 1


def _middle(unet: UNetStructure) -> Iterator[Unit]:
    """Without attention diffusers builds one residual block, with it two around it."""
    width = unet.block_out_channels[-1]
    yield Unit("resnet", "mid_block.resnets.0", "middle_block.0", width, width)
    if unet.mid_attention:
        yield Unit("attention", "mid_block.attentions.0", "middle_block.1", width, width, unet.mid_depth)
        yield Unit("resnet", "mid_block.resnets.1", "middle_block.2", width, width)


def _up(unet: UNetStructure) -> Iterator[Unit]:
    widths, depths = unet.block_out_channels[::-1], unet.transformer_depth[::-1]
    place, channels = 0, widths[0]
    for level, (width, depth) in enumerate(zip(widths, depths, strict=True)):
        block = f"up_blocks.{level}"
        finer = widths[min(level + 1, len(widths) - 1)]
        for layer in range(unet.layers_per_block + 1):
            skip = finer if layer == unet.layers_per_block else width
            yield Unit("resnet", f"{block}.resnets.{layer}", f"output_blocks.{place}.0", channels + skip, width)
            if depth:
                yield Unit("attention", f"{block}.attentions.{layer}", f"output_blocks.{place}.1", width, width, depth)
            channels, place = width, place + 1
        if level + 1 < len(widths):
            spot = f"output_blocks.{place - 1}.{2 if depth else 1}"
            yield Unit("upsample", f"{block}.upsamplers.0", spot, width, width)


def _layers(unit: Unit, unet: UNetStructure, conv: bool) -> Iterator[_Layer]:
    if unit.piece == "attention":
        yield from _attention_layers(unit, unet)
    elif conv and unit.piece == "resnet":
        yield from _resnet_layers(unit, time_width=4 * unet.block_out_channels[0])
    elif conv:
        ldm = f"{unit.ldm}.{'op' if unit.piece == 'downsample' else 'conv'}"
        yield _Layer(f"{unit.path}.conv", ldm, unit.in_channels, unit.out_channels, 3)


def _attention_layers(unit: Unit, unet: UNetStructure) -> Iterator[_Layer]:
    width, kernel = unit.out_channels, 0 if unet.linear_projection else 1

    def layer(name: str, in_features: int, out_features: int, kernel: int = 0) -> _Layer:
        return _Layer(f"{unit.path}.{name}", f"{unit.ldm}.{name}", in_features, out_features, kernel)

    yield layer("proj_in", width, width, kernel)
    for number in range(unit.depth):
        block = f"transformer_blocks.{number}"
        yield layer(f"{block}.attn1.to_q", width, width)
        yield layer(f"{block}.attn1.to_k", width, width)
        yield layer(f"{block}.attn1.to_v", width, width)
        yield layer(f"{block}.attn1.to_out.0", width, width)
        yield layer(f"{block}.ff.net.0.proj", width, 8 * width)
        yield layer(f"{block}.ff.net.2", 4 * width, width)
        yield layer(f"{block}.attn2.to_q", width, width)
        yield layer(f"{block}.attn2.to_k", unet.cross_attention_dim, width)
        yield layer(f"{block}.attn2.to_v", unet.cross_attention_dim, width)
        yield layer(f"{block}.attn2.to_out.0", width, width)
    yield layer("proj_out", width, width, kernel)


def _resnet_layers(unit: Unit, *, time_width: int) -> Iterator[_Layer]:
    width = unit.out_channels
    yield _Layer(f"{unit.path}.conv1", f"{unit.ldm}.in_layers.2", unit.in_channels, width, 3)
    yield _Layer(f"{unit.path}.time_emb_proj", f"{unit.ldm}.emb_layers.1", time_width, width, 0)
    yield _Layer(f"{unit.path}.conv2", f"{unit.ldm}.out_layers.3", width, width, 3)
    if unit.in_channels != width:
        yield _Layer(f"{unit.path}.conv_shortcut", f"{unit.ldm}.skip_connection", unit.in_channels, width, 1)

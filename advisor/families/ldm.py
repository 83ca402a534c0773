"""The measures of a single-file checkpoint in the original (LDM) names, from its tensors' shapes.

Shapes do not give the number of heads: that is the family's to say. Nor can a checkpoint be trusted to be built as its
family usually is, so what was derived is held against every block of the file, and a stranger gets None.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from advisor.families.lora_targets import Unit, unet_units
from advisor.families.signature import Tensors, width
from advisor.families.stable_diffusion import StableDiffusionStructure, TextStructure, VaeStructure
from advisor.families.unet import UNetStructure

UNET = "model.diffusion_model."
VAE = "first_stage_model."
VIDEO = "*.time_mixer.mix_factor"
"""A layer of Stable Video Diffusion, whose U-Net has the names of SDXL's besides."""
SMALLEST_HEADS = 4
"""A text encoder narrower than 256 (tests, small models) has four heads; all published ones have one for 64 values."""
VARIANT_OF_INPUTS = {9: "inpainting", 8: "pix2pix", 5: "depth", 7: "x4_upscale"}
"""What else than 4 latent channels goes in."""
_BLOCK = re.compile(r"\.transformer_blocks\.(\d+)\.attn1\.to_q\.weight$")


@dataclass(frozen=True)
class TextPlace:
    """Where a text encoder lies in a single file."""

    prefix: str
    unused_layers: int = 0
    """Blocks at its end that are in the file and are never computed."""


def heads_of_64(channels: int) -> int:
    """Heads of 64 values each, as SD2 and SDXL have them in their U-Nets."""
    return max(1, channels // 64)


def clip_heads(channels: int) -> int:
    """768 has 12 heads, 1024 has 16, 1280 has 20; anything under 256 has 4."""
    return max(SMALLEST_HEADS, channels // 64)


def unet_variant(tensors: Tensors) -> str | None:
    """What a U-Net's inputs tell of its use; `tensors` without the prefix."""
    inputs = width(tensors, "input_blocks.0.0.weight|conv_in.weight", 1)
    return VARIANT_OF_INPUTS.get(inputs) if inputs is not None else None


def ldm_structure(
    tensors: Tensors,
    standard: StableDiffusionStructure,
    *,
    text_at: Sequence[TextPlace],
    unet_heads: Callable[[int], int],
) -> StableDiffusionStructure | None:
    """The measures of a whole checkpoint; a VAE that is absent is the family's own.

    None: text encoder or U-Net is absent or built otherwise.
    """
    unet = _unet({key.removeprefix(UNET): value for key, value in tensors.items() if key.startswith(UNET)}, unet_heads)
    texts = [_text(tensors, place, usual) for place, usual in zip(text_at, standard.text, strict=True)]
    vae = _vae(tensors, standard.vae)
    known = tuple(text for text in texts if text is not None)
    if unet is None or vae is None or len(known) < len(texts):
        return None
    return replace(standard, unet=unet, text=known, vae=vae)


def _unet(tensors: Tensors, heads: Callable[[int], int]) -> UNetStructure | None:
    levels = _levels(tensors)
    context = width(tensors, "*.attn2.to_k.weight", 1)
    proj_in = next((tensor for name, tensor in tensors.items() if name.endswith(".1.proj_in.weight")), None)
    inputs, outputs = width(tensors, "input_blocks.0.0.weight", 1), width(tensors, "out.2.weight", 0)
    if not levels or not all(levels) or any(depth < 0 for level in levels for _, depth in level):
        return None
    if context is None or proj_in is None or inputs is None or outputs is None:
        return None
    widths = tuple(level[0][0] for level in levels)
    unet = UNetStructure(
        in_channels=inputs,
        out_channels=outputs,
        block_out_channels=widths,
        transformer_depth=tuple(level[0][1] for level in levels),
        layers_per_block=len(levels[0]),
        cross_attention_dim=context,
        heads=tuple(heads(channels) for channels in widths),
        linear_projection=len(proj_in.shape) == 2,
        mid_attention="middle_block.1.proj_in.weight" in tensors,
    )
    return unet if _is_built_so(tensors, unet) else None


def _levels(tensors: Tensors) -> list[list[tuple[int, int]]]:
    """(channels, transformer blocks) of each residual block, level by level from the finest."""
    depths = _depths(tensors)
    levels: list[list[tuple[int, int]]] = [[]]
    place = 1
    while True:
        channels = width(tensors, f"input_blocks.{place}.0.out_layers.3.weight", 0)
        if channels is not None:
            levels[-1].append((channels, depths.get(f"input_blocks.{place}.1", 0)))
        elif f"input_blocks.{place}.0.op.weight" in tensors:
            levels.append([])
        else:
            return levels
        place += 1


def _depths(tensors: Tensors) -> dict[str, int]:
    """Transformer blocks of each attention; -1 where their numbers are not those from 0 on."""
    blocks: dict[str, set[str]] = {}
    for name in tensors:
        found = _BLOCK.search(name)
        if found:
            blocks.setdefault(name[: found.start()], set()).add(found[1])
    return {place: len(own) if own == set(map(str, range(len(own)))) else -1 for place, own in blocks.items()}


def _is_built_so(tensors: Tensors, unet: UNetStructure) -> bool:
    """Every block that the measures ask for is there with its channels, and there is no other."""
    units = list(unet_units(unet))
    resnets = sum(name.endswith(".in_layers.2.weight") for name in tensors)
    attentions = {unit.ldm: unit.depth for unit in units if unit.piece == "attention"}
    return (
        resnets == sum(unit.piece == "resnet" for unit in units)
        and _depths(tensors) == attentions
        and all(_has_unit(tensors, unit) for unit in units)
    )


def _has_unit(tensors: Tensors, unit: Unit) -> bool:
    kernel = {
        "resnet": "in_layers.2.weight",
        "attention": "proj_in.weight",
        "downsample": "op.weight",
        "upsample": "conv.weight",
    }[unit.piece]
    tensor = tensors.get(f"{unit.ldm}.{kernel}")
    return tensor is not None and tensor.shape[:2] == (unit.out_channels, unit.in_channels)


def _text(tensors: Tensors, place: TextPlace, usual: TextStructure) -> TextStructure | None:
    own = {key.removeprefix(place.prefix): value for key, value in tensors.items() if key.startswith(place.prefix)}
    own = {key.removeprefix("text_model."): value for key, value in own.items()}
    tokens = own.get("embeddings.token_embedding.weight") or own.get("token_embedding.weight")
    positions = own.get("embeddings.position_embedding.weight") or own.get("positional_embedding")
    mlp = width(own, "*layers.0.mlp.fc1.weight|transformer.resblocks.0.mlp.c_fc.weight", 0)
    layers = _count(own, ("encoder.layers.", "transformer.resblocks.")) - place.unused_layers
    if tokens is None or positions is None or mlp is None or layers < 1:
        return None
    if len(tokens.shape) != 2 or len(positions.shape) != 2 or not tokens.size or not positions.size:
        return None
    if tokens.shape[1] % clip_heads(tokens.shape[1]):
        return None
    projection = None
    if usual.projection:
        projection = width(own, "text_projection", 1) or width(own, "text_projection.weight", 0)
    return replace(
        usual,
        width=tokens.shape[1],
        layers=layers,
        heads=clip_heads(tokens.shape[1]),
        mlp_width=mlp,
        vocab_size=tokens.shape[0],
        max_positions=positions.shape[0],
        projection=projection,
    )


def _vae(tensors: Tensors, usual: VaeStructure) -> VaeStructure | None:
    own = {key.removeprefix(VAE): value for key, value in tensors.items() if key.startswith(VAE)}
    if not own:
        return usual
    widths = [
        width(own, f"encoder.down.{level}.block.0.conv1.weight", 0) for level in range(_count(own, ("encoder.down.",)))
    ]
    known = tuple(channels for channels in widths if channels is not None)
    latent = width(own, "decoder.conv_in.weight", 1)
    if latent is None or not known or len(known) < len(widths):
        return None
    return replace(
        usual,
        block_out_channels=known,
        latent_channels=latent,
        layers_per_block=_count(own, ("encoder.down.0.block.",)),
        mid_attention="decoder.mid.attn_1.q.weight" in own,
    )


def _count(tensors: Tensors, starts: Sequence[str]) -> int:
    """How many numbered entries follow one of these beginnings."""
    numbers = {
        name.removeprefix(start).partition(".")[0] for start in starts for name in tensors if name.startswith(start)
    }
    return len({number for number in numbers if number.isdecimal()})

"""How many weights a base model's networks have, from their measures alone."""

from __future__ import annotations

from functools import lru_cache

from advisor.families.structure import Structure, TextStructure, UNetStructure, VaeStructure

TIME_IDS_WIDTH = 6 * 256
"""SDXL's six size and crop numbers, each as 256 sines and cosines."""


@lru_cache(maxsize=64)
def unet_parameters_by_level(structure: Structure) -> tuple[int, ...]:
    """Weights of the U-Net by level: those of level n are applied at 1 / 4^n of the latents' area.

    Weights that are applied once a picture, those of the time embedding, stand last.
    """
    unet = structure.unet
    widths, time_width = unet.block_out_channels, 4 * unet.block_out_channels[0]
    levels = [0] * len(widths)
    levels[0] += _conv(unet.in_channels, widths[0]) + 2 * widths[0] + _conv(widths[0], unet.out_channels)
    for level, width in enumerate(widths):
        levels[level] += _down(unet, level, time_width) + _up(unet, level, time_width)
        if level < len(widths) - 1:
            levels[level + 1] += _conv(width, width)
            levels[level] += _conv(widths[level + 1], widths[level + 1])
    levels[-1] += 2 * _resnet(widths[-1], widths[-1], time_width)
    if unet.mid_attention:
        levels[-1] += _transformer(unet, widths[-1], mid_depth(unet))
    embedding = _linear(widths[0], time_width) + _linear(time_width, time_width)
    if len(structure.text) > 1:
        pooled = structure.text[-1].projection or structure.text[-1].width
        embedding += _linear(pooled + TIME_IDS_WIDTH, time_width) + _linear(time_width, time_width)
    return (*levels, embedding)


def unet_parameters(structure: Structure) -> int:
    """Weights of the U-Net; 859,520,964 for SD1.5."""
    return sum(unet_parameters_by_level(structure))


def text_parameters(structure: Structure) -> int:
    """Weights of all text encoders; 123,060,480 for SD1.5."""
    return sum(_text(text) for text in structure.text)


@lru_cache(maxsize=64)
def vae_parameters(vae: VaeStructure) -> int:
    """Weights of the VAE; 83,653,863 for SD1.5's."""
    widths, latents = vae.block_out_channels, vae.latent_channels
    middle = 2 * _resnet(widths[-1], widths[-1], None)
    if vae.mid_attention:
        middle += 2 * widths[-1] + 4 * _linear(widths[-1], widths[-1])
    total = 2 * middle + _conv(3, widths[0]) + _conv(widths[0], 3) + 2 * widths[0] + 2 * widths[-1]
    total += _conv(widths[-1], 2 * latents) + _conv(latents, widths[-1])
    total += _linear(2 * latents, 2 * latents) + _linear(latents, latents)
    for level, width in enumerate(widths):
        narrower, wider = widths[max(level - 1, 0)], widths[min(level + 1, len(widths) - 1)]
        total += _resnets(narrower, width, vae.layers_per_block) + _resnets(wider, width, vae.layers_per_block + 1)
        total += _conv(width, width) * ((level < len(widths) - 1) + (level > 0))
    return total


def mid_depth(unet: UNetStructure) -> int:
    """Transformer blocks in the middle: as many as in the coarsest level that has any."""
    return next((depth for depth in reversed(unet.transformer_depth) if depth), 1)


def _down(unet: UNetStructure, level: int, time_width: int) -> int:
    widths, depth = unet.block_out_channels, unet.transformer_depth[level]
    width = widths[level]
    resnets = _resnet(widths[max(level - 1, 0)], width, time_width)
    resnets += (unet.layers_per_block - 1) * _resnet(width, width, time_width)
    return resnets + unet.layers_per_block * _transformer(unet, width, depth)


def _up(unet: UNetStructure, level: int, time_width: int) -> int:
    widths, depth = unet.block_out_channels, unet.transformer_depth[level]
    width, layers = widths[level], unet.layers_per_block + 1
    total = layers * _transformer(unet, width, depth)
    for layer in range(layers):
        coming = widths[min(level + 1, len(widths) - 1)] if layer == 0 else width
        skip = widths[max(level - 1, 0)] if layer == layers - 1 else width
        total += _resnet(coming + skip, width, time_width)
    return total


def _resnets(coming: int, width: int, layers: int) -> int:
    return _resnet(coming, width, None) + (layers - 1) * _resnet(width, width, None)


def _resnet(coming: int, width: int, time_width: int | None) -> int:
    total = 2 * coming + _conv(coming, width) + 2 * width + _conv(width, width)
    total += _linear(time_width, width) if time_width else 0
    return total + (_linear(coming, width) if coming != width else 0)


def _transformer(unet: UNetStructure, width: int, depth: int) -> int:
    if not depth:
        return 0
    attention = 4 * width * width + width
    cross = 2 * width * width + 2 * unet.cross_attention_dim * width + width
    feed_forward = _linear(width, 8 * width) + _linear(4 * width, width)
    return 2 * width + 2 * _linear(width, width) + depth * (attention + cross + feed_forward + 6 * width)


@lru_cache(maxsize=64)
def _text(text: TextStructure) -> int:
    layer = 4 * _linear(text.width, text.width) + 4 * text.width
    layer += _linear(text.width, text.mlp_width) + _linear(text.mlp_width, text.width)
    embeddings = (text.vocab_size + text.max_positions) * text.width
    return embeddings + text.layers * layer + 2 * text.width + (text.projection or 0) * text.width


def _linear(coming: int, width: int) -> int:
    return coming * width + width


def _conv(coming: int, width: int) -> int:
    return 9 * coming * width + width

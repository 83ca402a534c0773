"""A U-Net's measures: how many weights it has, and how what it keeps and computes grows with them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

TIME_IDS_WIDTH = 6 * 256
"""SDXL's six size and crop numbers, each as 256 sines and cosines."""


@dataclass(frozen=True)
class UNetStructure:
    """A `UNet2DConditionModel`, by the numbers that its shapes give; heads come from the family or the JSON."""

    in_channels: int
    out_channels: int
    block_out_channels: tuple[int, ...]
    """From the finest level to the coarsest."""
    transformer_depth: tuple[int, ...]
    """Transformer blocks in each attention of a level; 0: the level has no attention."""
    layers_per_block: int
    cross_attention_dim: int
    heads: tuple[int, ...]
    """Attention heads of each level."""
    linear_projection: bool = False
    """proj_in and proj_out are linear layers (SD2, SDXL) and not 1x1 convolutions (SD1)."""
    norm_groups: int = 32
    mid_attention: bool = True

    @property
    def mid_depth(self) -> int:
        """Transformer blocks of the middle's attention: those of the coarsest level that has any, at least one."""
        depths = [depth for depth in self.transformer_depth if depth]
        return (depths[-1] if depths else 1) if self.mid_attention else 0


@lru_cache(maxsize=64)
def parameters_by_level(unet: UNetStructure, pooled: int | None = None) -> tuple[int, ...]:
    """Weights of the U-Net by level: those of level n are applied at 1 / 4^n of the latents' area.

    Weights that are applied once a picture, those of the time embedding, stand last.

    Args:
        pooled: width of the text's pooled projection, where it is told that and the picture's size.
    """
    widths, time_width = unet.block_out_channels, 4 * unet.block_out_channels[0]
    levels = [0] * len(widths)
    levels[0] += conv(unet.in_channels, widths[0]) + 2 * widths[0] + conv(widths[0], unet.out_channels)
    for level, width in enumerate(widths):
        levels[level] += _down(unet, level, time_width) + _up(unet, level, time_width)
        if level < len(widths) - 1:
            levels[level + 1] += conv(width, width)
            levels[level] += conv(widths[level + 1], widths[level + 1])
    levels[-1] += 2 * resnet(widths[-1], widths[-1], time_width)
    if unet.mid_attention:
        levels[-1] += _transformer(unet, widths[-1], unet.mid_depth)
    embedding = linear(widths[0], time_width) + linear(time_width, time_width)
    if pooled is not None:
        embedding += linear(pooled + TIME_IDS_WIDTH, time_width) + linear(time_width, time_width)
    return (*levels, embedding)


def attention_channels(unet: UNetStructure) -> float:
    """Channels of self-attention, weighted by the square of each level's share of the area."""
    layers = 2 * unet.layers_per_block + 1
    levels = zip(unet.transformer_depth, unet.block_out_channels, strict=True)
    return sum(layers * depth * width / 16**level for level, (depth, width) in enumerate(levels)) or 1.0


def activation_channels(unet: UNetStructure, *, checkpointed: bool) -> float:
    """Channels per latent pixel, transformers and residual blocks weighted by the activations that they save.

    With gradient checkpointing the blocks of the finest level are the largest that are alive at once.
    """
    layers, last = 2 * unet.layers_per_block + 1, len(unet.block_out_channels) - 1
    resnets, transformers = 0.0, 0.0
    for level, width in enumerate(unet.block_out_channels):
        resnets += layers * width / 4**level
        transformers += layers * unet.transformer_depth[level] * width / 4**level
    coarsest = unet.block_out_channels[last] / 4**last
    resnets += 2 * coarsest
    if checkpointed:
        return float(9.35 * resnets + 18.0 * layers * unet.transformer_depth[0] * unet.block_out_channels[0])
    middle = unet.mid_depth * coarsest if unet.mid_attention else 0.0
    return float(52.2 * resnets + 27.05 * (transformers + middle))


def _down(unet: UNetStructure, level: int, time_width: int) -> int:
    widths, depth = unet.block_out_channels, unet.transformer_depth[level]
    width = widths[level]
    resnets = resnet(widths[max(level - 1, 0)], width, time_width)
    resnets += (unet.layers_per_block - 1) * resnet(width, width, time_width)
    return resnets + unet.layers_per_block * _transformer(unet, width, depth)


def _up(unet: UNetStructure, level: int, time_width: int) -> int:
    widths, depth = unet.block_out_channels, unet.transformer_depth[level]
    width, layers = widths[level], unet.layers_per_block + 1
    total = layers * _transformer(unet, width, depth)
    for layer in range(layers):
        coming = widths[min(level + 1, len(widths) - 1)] if layer == 0 else width
        skip = widths[max(level - 1, 0)] if layer == layers - 1 else width
        total += resnet(coming + skip, width, time_width)
    return total


def _transformer(unet: UNetStructure, width: int, depth: int) -> int:
    if not depth:
        return 0
    attention = 4 * width * width + width
    cross = 2 * width * width + 2 * unet.cross_attention_dim * width + width
    feed_forward = linear(width, 8 * width) + linear(4 * width, width)
    return 2 * width + 2 * linear(width, width) + depth * (attention + cross + feed_forward + 6 * width)


def resnet(coming: int, width: int, time_width: int | None) -> int:
    """Weights of a residual block with convolutions of 3 x 3; `time_width`: it is told the time."""
    total = 2 * coming + conv(coming, width) + 2 * width + conv(width, width)
    total += linear(time_width, width) if time_width else 0
    return total + (linear(coming, width) if coming != width else 0)


def linear(coming: int, width: int) -> int:
    """Weights of a linear layer or a convolution of 1 x 1, and its bias."""
    return coming * width + width


def conv(coming: int, width: int) -> int:
    """Weights of a convolution of 3 x 3, and its bias."""
    return 9 * coming * width + width

"""The measures of Stable Diffusion's networks: a U-Net, CLIPs and a VAE, which other families have too."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from advisor.families.structure import Prediction
from advisor.families.unet import (
    UNetStructure,
    activation_channels,
    attention_channels,
    conv,
    linear,
    parameters_by_level,
    resnet,
)


@dataclass(frozen=True)
class TextStructure:
    """A CLIP text encoder."""

    width: int
    layers: int
    heads: int
    mlp_width: int
    vocab_size: int
    max_positions: int
    activation: str = "quick_gelu"
    projection: int | None = None
    """Width of the pooled projection, where it has one."""

    @property
    def parameters(self) -> int:
        """Its weights; 123,060,480 for SD1.5's."""
        return _text(self)


@dataclass(frozen=True)
class VaeStructure:
    """An `AutoencoderKL`."""

    block_out_channels: tuple[int, ...]
    latent_channels: int
    layers_per_block: int
    norm_groups: int = 32
    mid_attention: bool = True
    scaling_factor: float = 0.18215
    shift_factor: float = 0.0
    """Taken off latents before they are scaled."""
    quant_conv: bool = True
    """It has convolutions of 1 x 1 behind its encoder and before its decoder."""

    @property
    def factor(self) -> int:
        """Pixels of a picture along one side for one of the latents."""
        return int(2 ** (len(self.block_out_channels) - 1))

    @property
    def scale_text(self) -> str:
        """How latents are scaled, as caches of them know it."""
        shift = f" {self.shift_factor}" if self.shift_factor else ""
        return f"{self.scaling_factor}{shift}"

    @property
    def finest_channels(self) -> int:
        """Channels at a picture's own size."""
        return self.block_out_channels[0]

    @property
    def parameters(self) -> int:
        """Its weights; 83,653,863 for SD1.5's."""
        return _vae(self)


@dataclass(frozen=True)
class StableDiffusionStructure:
    """All networks of a Stable Diffusion base model."""

    unet: UNetStructure
    text: tuple[TextStructure, ...]
    vae: VaeStructure
    native_px: int
    """The size it was trained at."""
    prediction: Prediction | None = None
    """Where its JSON tells; None otherwise."""

    @property
    def side_unit_px(self) -> int:
        """Pictures' sides have to be multiples of this: what the VAE shrinks to one latent."""
        return self.vae.factor

    @property
    def halvings(self) -> int:
        """How often the U-Net halves what it is given."""
        return len(self.unet.block_out_channels) - 1

    @property
    def halving_unit_px(self) -> int:
        """Multiples of this can be halved at each level."""
        return int(self.vae.factor * 2**self.halvings)

    @property
    def denoiser_parameters(self) -> int:
        """Weights of the U-Net; 859,520,964 for SD1.5."""
        return sum(self._by_level)

    @property
    def text_parameters(self) -> int:
        """Weights of all text encoders; 123,060,480 for SD1.5."""
        return sum(text.parameters for text in self.text)

    @property
    def weights_per_pixel(self) -> float:
        """Weights applied per latent pixel: each level's by its share of the area."""
        return sum(number * 0.25**level for level, number in enumerate(self._by_level[:-1]))

    @property
    def attention_channels(self) -> float:
        """Channels of self-attention, weighted by the square of each level's share of the area."""
        return attention_channels(self.unet)

    def activation_channels(self, *, checkpointed: bool) -> float:
        """Channels per latent pixel that a step keeps, each kind of block weighted by how much it keeps."""
        return activation_channels(self.unet, checkpointed=checkpointed)

    @property
    def whole_blocks(self) -> int:
        """Down blocks, the middle, up blocks."""
        return 2 * len(self.unet.block_out_channels) + 1

    @property
    def text_channels(self) -> float:
        """Channels of the text encoders in all layers."""
        return sum(text.width * text.layers for text in self.text)

    @property
    def text_positions(self) -> int:
        """Most tokens of a chunk of a caption."""
        return self.text[0].max_positions

    def cached_text_bytes(self, *, tokens: float, chunks: int, value_bytes: float) -> int:  # noqa: ARG002
        """Bytes of a caption's states, whatever its length and the compute dtype; the larger of the dtypes counts."""
        return chunks * sum(text.width * text.max_positions * 4 for text in self.text)

    def num_blocks(self, middle: int) -> int:
        """Blocks that kohya gives ranks and rates: the original code's input, middle and output blocks."""
        inputs = len(self.unet.block_out_channels) * (self.unet.layers_per_block + 1)
        return 2 * inputs + middle

    @property
    def _by_level(self) -> tuple[int, ...]:
        pooled = (self.text[-1].projection or self.text[-1].width) if len(self.text) > 1 else None
        return parameters_by_level(self.unet, pooled)


@lru_cache(maxsize=64)
def _vae(vae: VaeStructure) -> int:
    widths, latents = vae.block_out_channels, vae.latent_channels
    middle = 2 * resnet(widths[-1], widths[-1], None)
    if vae.mid_attention:
        middle += 2 * widths[-1] + 4 * linear(widths[-1], widths[-1])
    total = 2 * middle + conv(3, widths[0]) + conv(widths[0], 3) + 2 * widths[0] + 2 * widths[-1]
    total += conv(widths[-1], 2 * latents) + conv(latents, widths[-1])
    total += (linear(2 * latents, 2 * latents) + linear(latents, latents)) if vae.quant_conv else 0
    for level, width in enumerate(widths):
        narrower, wider = widths[max(level - 1, 0)], widths[min(level + 1, len(widths) - 1)]
        total += _resnets(narrower, width, vae.layers_per_block) + _resnets(wider, width, vae.layers_per_block + 1)
        total += conv(width, width) * ((level < len(widths) - 1) + (level > 0))
    return total


def _resnets(coming: int, width: int, layers: int) -> int:
    return resnet(coming, width, None) + (layers - 1) * resnet(width, width, None)


@lru_cache(maxsize=64)
def _text(text: TextStructure) -> int:
    layer = 4 * linear(text.width, text.width) + 4 * text.width
    layer += linear(text.width, text.mlp_width) + linear(text.mlp_width, text.width)
    embeddings = (text.vocab_size + text.max_positions) * text.width
    return embeddings + text.layers * layer + 2 * text.width + (text.projection or 0) * text.width

"""The measures of Z-Image's networks: their weights, and how what they keep and compute grows with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from advisor.families.language_model import LanguageStructure
from advisor.families.patch_transformer import MOST_TOKENS, PATCH, PatchTransformerStructure
from advisor.families.stable_diffusion import VaeStructure

TOKEN_UNIT = 32
"""A picture's tokens and a caption's are each filled up to a multiple of this."""
TIME_WIDTH, TIME_MLP, TIME_WAVES = 256, 1024, 256
"""Of the embedding of time: at most so wide, the layer in it, the waves that it is made of."""
KEPT_WIDTHS, KEPT_MLPS = 19.5, 4.0
"""Values that a block keeps for its backward pass of a token, in widths of the block and of its MLP."""
WORK_WIDTHS = 25.0
"""The same widths while one block is computed anew."""


@dataclass(frozen=True)
class SingleStreamStructure:
    """A `ZImageTransformer2DModel`: patches of 2 x 2 latents and a caption's states become one sequence."""

    latent_channels: int
    """In and out."""
    width: int
    heads: int
    layers: int
    refiners: int
    """Blocks that picture and caption each go through alone, before they are one sequence."""
    text_width: int
    """Of the text encoder's states."""

    @property
    def mlp_width(self) -> int:
        """Of each block's MLP."""
        return int(self.width / 3 * 8)

    @property
    def time_width(self) -> int:
        """Of the embedding of time, which each block's modulation reads."""
        return min(self.width, TIME_WIDTH)

    @property
    def position_widths(self) -> tuple[int, int, int]:
        """How a head's width is shared out among the positions in a caption, in height and in width."""
        head = self.width // self.heads
        return head - 2 * (head * 3 // 8), head * 3 // 8, head * 3 // 8

    @property
    def block_parameters(self) -> int:
        """Weights of one block that are applied to each token."""
        return 4 * self.width**2 + 3 * self.width * self.mlp_width

    @property
    def parameters(self) -> int:
        """Its weights; 6,154,908,736 for the published one."""
        wide, time, latents = self.width, self.time_width, PATCH * self.latent_channels
        block = self.block_parameters + 2 * (wide // self.heads) + 4 * wide
        blocks = (self.layers + 2 * self.refiners) * block + (self.layers + self.refiners) * 4 * wide * (time + 1)
        ends = latents * wide + wide + wide * latents + latents + wide * (time + 1)
        times = (TIME_WAVES + 1) * TIME_MLP + (TIME_MLP + 1) * time
        return blocks + ends + times + self.text_width + (self.text_width + 1) * wide + 2 * wide


@dataclass(frozen=True)
class ZImageStructure(PatchTransformerStructure):
    """All networks of a Z-Image; text encoder and VAE are files of their own."""

    denoiser: SingleStreamStructure
    text: tuple[LanguageStructure, ...]
    vae: VaeStructure
    native_px: int
    """The size it was trained at."""
    prediction: Literal["flow"] = "flow"

    @property
    def denoiser_parameters(self) -> int:
        """Weights of the transformer."""
        return self.denoiser.parameters

    @property
    def weights_per_pixel(self) -> float:
        """Weights applied per latent pixel."""
        return (self.denoiser.layers + self.denoiser.refiners) * self.denoiser.block_parameters / PATCH

    @property
    def attention_channels(self) -> float:
        """Channels of self-attention in all layers."""
        return float((self.denoiser.layers + self.denoiser.refiners) * self.denoiser.width)

    def activation_channels(self, *, checkpointed: bool) -> float:
        """Channels per token that a step keeps: of all blocks, or what each was given and one block's at work."""
        own = self.denoiser
        blocks = own.layers + own.refiners
        if checkpointed:
            return blocks * own.width + WORK_WIDTHS * own.width + KEPT_MLPS * own.mlp_width
        return blocks * (KEPT_WIDTHS * own.width + KEPT_MLPS * own.mlp_width)

    @property
    def whole_blocks(self) -> int:
        """Those of the one sequence: the ones before have no adapters, so that they keep nothing."""
        return self.denoiser.layers

    @property
    def text_channels(self) -> float:
        """Channels of the blocks that a caption goes through alone: the text encoder is not trained."""
        return float(self.denoiser.refiners * self.denoiser.width) or 1.0

    def cached_text_bytes(self, *, tokens: float, chunks: int, value_bytes: float) -> int:  # noqa: ARG002
        """Bytes of a caption's states and of the mask that tells which of them are its."""
        states = sum(text.width for text in self.text) * value_bytes + 1
        return int(min(tokens, MOST_TOKENS) * states)

    def num_blocks(self, middle: int) -> int:  # noqa: ARG002
        """The blocks of the one sequence."""
        return self.denoiser.layers

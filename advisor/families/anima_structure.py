"""The measures of Anima's networks: how many weights they have, and how what they keep and compute grows with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from advisor.families.language_model import LanguageStructure
from advisor.families.patch_transformer import MOST_TOKENS, PATCH, PatchTransformerStructure
from advisor.families.video_vae import VideoVaeStructure

TARGET_TOKEN_BYTES = 8 + 1
"""Of a token of the adapter's own vocabulary: its number and whether it is one."""
KEPT_WIDTHS, KEPT_MLPS = 21.3, 2.0
"""Values that a transformer's block keeps for its backward pass of a token, in widths of the block and of its MLP."""
WORK_WIDTHS = 26.3
"""The same widths while one block is computed anew."""


@dataclass(frozen=True)
class TransformerStructure:
    """A `CosmosTransformer3DModel`, which cuts latents into patches of 2 x 2 and looks at text by cross-attention."""

    latent_channels: int
    """In and out; a channel that marks padding goes in besides."""
    width: int
    heads: int
    layers: int
    mlp_width: int
    text_width: int
    """Of the states that it looks at."""
    modulation_width: int
    """Of the narrow layers that make each block's shifts and scales of the time."""

    @property
    def block_parameters(self) -> int:
        """Weights of one block that are applied to each token."""
        attentions = 6 * self.width**2 + 2 * self.text_width * self.width
        return attentions + 2 * self.width * self.mlp_width

    @property
    def parameters(self) -> int:
        """Its weights; 1,956,405,248 for the published one."""
        wide, narrow, latents = self.width, self.modulation_width, PATCH * self.latent_channels
        block = self.block_parameters + 3 * (wide * narrow + narrow * 3 * wide) + 4 * (wide // self.heads)
        ends = (latents + PATCH) * wide + wide * latents + wide * narrow + narrow * 2 * wide
        return self.layers * block + ends + 4 * wide**2 + wide


@dataclass(frozen=True)
class TextAdapterStructure:
    """An `AnimaTextConditioner`: a transformer between the text encoder's states and the denoiser."""

    source_width: int
    """Of the text encoder's states."""
    width: int
    heads: int
    layers: int
    mlp_width: int
    target_width: int
    """Of what it gives the denoiser."""
    vocab_size: int
    """Of the tokens that it has embeddings of its own for."""

    @property
    def parameters(self) -> int:
        """Its weights; 134,663,680 for the published one."""
        wide, mlp = self.width, self.mlp_width
        attentions = 6 * wide**2 + 2 * self.source_width * wide + 4 * (wide // self.heads)
        block = attentions + 2 * wide * mlp + mlp + wide + 3 * wide
        into = 0 if self.target_width == wide else self.target_width * wide + wide
        out = wide * self.target_width + self.target_width
        return self.vocab_size * self.target_width + into + self.layers * block + out + self.target_width


@dataclass(frozen=True)
class AnimaStructure(PatchTransformerStructure):
    """All networks of an Anima; text encoder and VAE are files of their own."""

    denoiser: TransformerStructure
    adapter: TextAdapterStructure
    text: tuple[LanguageStructure, ...]
    vae: VideoVaeStructure
    native_px: int
    """The size it was trained at."""
    prediction: Literal["flow"] = "flow"

    @property
    def denoiser_parameters(self) -> int:
        """Weights of the transformer and of the adapter before it; 2,091,068,928 for the published one."""
        return self.denoiser.parameters + self.adapter.parameters

    @property
    def weights_per_pixel(self) -> float:
        """Weights applied per latent pixel."""
        return self.denoiser.layers * self.denoiser.block_parameters / PATCH

    @property
    def attention_channels(self) -> float:
        """Channels of self-attention in all layers."""
        return float(self.denoiser.layers * self.denoiser.width)

    def activation_channels(self, *, checkpointed: bool) -> float:
        """Channels per token that a step keeps: of all blocks, or what each was given and one block's at work."""
        own = self.denoiser
        if checkpointed:
            return own.layers * own.width + WORK_WIDTHS * own.width + KEPT_MLPS * own.mlp_width
        return own.layers * (KEPT_WIDTHS * own.width + KEPT_MLPS * own.mlp_width)

    @property
    def whole_blocks(self) -> int:
        """The transformer's blocks."""
        return self.denoiser.layers

    @property
    def text_channels(self) -> float:
        """Channels of the adapter in all layers: the text encoder is not trained."""
        return float(self.adapter.layers * self.adapter.width)

    def cached_text_bytes(self, *, tokens: float, chunks: int, value_bytes: float) -> int:  # noqa: ARG002
        """Bytes of a caption's states, its tokens in the adapter's vocabulary, and the masks of both."""
        states = sum(text.width for text in self.text) * value_bytes + 1
        return int(min(tokens, MOST_TOKENS) * (states + TARGET_TOKEN_BYTES))

    def num_blocks(self, middle: int) -> int:  # noqa: ARG002
        """The transformer's blocks."""
        return self.denoiser.layers

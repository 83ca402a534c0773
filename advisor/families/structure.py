"""The measures of a model's networks, which say how to build them and how large they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Prediction = Literal["epsilon", "v_prediction", "flow"]
"""What a denoiser predicts."""


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


@dataclass(frozen=True)
class VaeStructure:
    """An `AutoencoderKL`."""

    block_out_channels: tuple[int, ...]
    latent_channels: int
    layers_per_block: int
    norm_groups: int = 32
    mid_attention: bool = True
    scaling_factor: float = 0.18215

    @property
    def factor(self) -> int:
        """Pixels of a picture along one side for one of the latents."""
        return int(2 ** (len(self.block_out_channels) - 1))

    @property
    def scale_text(self) -> str:
        """How latents are scaled, as caches of them know it."""
        return str(self.scaling_factor)


@dataclass(frozen=True)
class Structure:
    """All networks of a base model."""

    unet: UNetStructure
    text: tuple[TextStructure, ...]
    vae: VaeStructure
    native_px: int
    """The size it was trained at."""
    prediction: Literal["epsilon", "v_prediction", "flow"] | None = None
    """Where its JSON tells; None otherwise."""

    @property
    def side_unit_px(self) -> int:
        """Pictures' sides have to be multiples of this: what the VAE shrinks to one latent."""
        return self.vae.factor

    @property
    def halving_unit_px(self) -> int:
        """Multiples of this can be halved at each level."""
        return int(self.vae.factor * 2 ** (len(self.unet.block_out_channels) - 1))


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


@dataclass(frozen=True)
class LanguageStructure:
    """A `Qwen3Model` that captions are read with."""

    width: int
    layers: int
    heads: int
    key_value_heads: int
    head_width: int
    mlp_width: int
    vocab_size: int


@dataclass(frozen=True)
class VideoVaeStructure:
    """An `AutoencoderKLQwenImage`, which is Wan 2.1's VAE; a picture is a film of one frame."""

    width: int
    """Channels of its finest level; the others have 2, 4 and 4 times as many."""
    latent_channels: int

    @property
    def factor(self) -> int:
        """Pixels of a picture along one side for one of the latents."""
        return 8

    @property
    def scale_text(self) -> str:
        """How latents are scaled, as caches of them know it: each channel by its own mean and deviation."""
        return "by channel"


@dataclass(frozen=True)
class FlowStructure:
    """All networks of a flow matching base model; text encoder and VAE are files of their own."""

    denoiser: TransformerStructure
    adapter: TextAdapterStructure
    text: tuple[LanguageStructure, ...]
    vae: VideoVaeStructure
    native_px: int
    """The size it was trained at."""
    prediction: Literal["flow"] = "flow"

    @property
    def side_unit_px(self) -> int:
        """Pictures' sides have to be multiples of this: a patch of 2 x 2 latents."""
        return 2 * self.vae.factor

    @property
    def halving_unit_px(self) -> int:
        """The same: a transformer has one level."""
        return self.side_unit_px


AnyStructure = Structure | FlowStructure
"""All networks of a base model, of a U-Net or not."""


@dataclass(frozen=True)
class LoraTarget:
    """One layer that gets an adapter."""

    name: str
    """The module's name in a kohya file, e.g. `lora_unet_mid_block_attentions_0_proj_in`."""
    part: Literal["unet", "text_encoder", "text_encoder_2"]
    path: str
    """The module's path within its network as diffusers or transformers names it (text: from `text_model.` on)."""
    in_features: int
    out_features: int
    kernel: int = 0
    """0: a linear layer; 1 or 3: a convolution of that size."""
    block: int | None = None
    """Which of the denoiser's blocks it is in, as kohya counts them for rates: a U-Net's inputs, middle, outputs."""
    original: str = ""
    """The module's name in the base model's own file, with points; empty where no LoRA file has such names."""
    diffusers: str = ""
    """The module's name in diffusers' files, where it is not that of its part and its path."""

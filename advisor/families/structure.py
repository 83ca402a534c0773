"""What is asked of a base model's networks, whatever they are: how large they are, how they grow, how pictures fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Prediction = Literal["epsilon", "v_prediction", "flow"]
"""What a denoiser predicts."""


class Vae(Protocol):
    """The measures of a VAE."""

    @property
    def latent_channels(self) -> int:
        """Channels of its latents."""

    @property
    def factor(self) -> int:
        """Pixels of a picture along one side for one of the latents."""

    @property
    def scale_text(self) -> str:
        """How latents are scaled, as caches of them know it."""

    @property
    def finest_channels(self) -> int:
        """Channels at a picture's own size, where most of its memory goes."""

    @property
    def parameters(self) -> int:
        """Its weights."""


class Structure(Protocol):
    """All networks of a base model, by their measures. Each architecture has its own kind, hashable, which its family's
    code builds networks from; advice and estimates go by what stands here.
    """

    def __hash__(self) -> int:
        """Frozen: what follows from it is counted once."""

    @property
    def native_px(self) -> int:
        """The size it was trained at."""

    @property
    def prediction(self) -> Prediction | None:
        """Where what it was read from tells; None otherwise."""

    @property
    def vae(self) -> Vae:
        """Its VAE."""

    @property
    def side_unit_px(self) -> int:
        """Pictures' sides have to be multiples of this."""

    @property
    def halvings(self) -> int:
        """How often the denoiser halves what it is given; 0: all of it has one size."""

    @property
    def halving_unit_px(self) -> int:
        """Multiples of this can be halved so often."""

    @property
    def denoiser_parameters(self) -> int:
        """Weights of the denoiser."""

    @property
    def text_parameters(self) -> int:
        """Weights of all text encoders."""

    @property
    def weights_per_pixel(self) -> float:
        """Weights applied per latent pixel."""

    @property
    def attention_channels(self) -> float:
        """Channels of self-attention in all layers, as far as each sees all pixels."""

    def activation_channels(self, *, checkpointed: bool) -> float:
        """Channels per latent pixel that a step keeps, each kind weighted by how much it keeps."""

    @property
    def text_channels(self) -> float:
        """Channels of the text encoders in all layers."""

    @property
    def text_positions(self) -> int:
        """Most tokens of a caption, or of one chunk of it where the text encoder reads chunks."""

    def cached_text_bytes(self, *, tokens: float, chunks: int, value_bytes: float) -> int:
        """Bytes of what is kept of a caption.

        Args:
            tokens: how many it has.
            chunks: for how many of the text encoder's own lengths there is room.
            value_bytes: of one value in the compute dtype.
        """

    @property
    def whole_blocks(self) -> int:
        """Blocks of the denoiser as gradient checkpointing counts them: a U-Net's down blocks, middle and up blocks."""

    def num_blocks(self, middle: int) -> int:
        """How many blocks of the denoiser can have a rank or a learning rate of their own.

        Args:
            middle: as how many a U-Net's middle counts.
        """


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
    in_file: tuple[str, int, int] | None = None
    """(name, which, of how many): the layer of the base model's own file whose rows, in so many equal shares, hold this
    one's; None: it is there by itself, under `original`."""

    @property
    def weights(self) -> int:
        """Of the layer itself."""
        return self.in_features * self.out_features * max(1, self.kernel) ** 2

"""What the loop needs of a model family, and the base model that a family loads.

Letters: B images in a batch, C latent channels, H and W latent height and width, L tokens in one chunk, K chunks,
T text states (L, or all chunks joined), D their width, P the width of the pooled text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from advisor.checkpoints.identity import Identity
from advisor.families.structure import LoraTarget, Prediction, Structure
from advisor.settings.config import ModelConfig, QuantisedDtype
from trainer.models.clip_text import text_root
from trainer.models.tokenizer import Tokenizer


@dataclass(frozen=True)
class Conditioning:
    """The text conditioning of a batch."""

    states: Tensor
    """[B, T, D], in the denoiser's dtype."""
    pooled: Tensor | None = None
    """[B, P]: each caption as a whole, where the family has it."""

    @classmethod
    def joined(cls, parts: Sequence[Conditioning]) -> Conditioning:
        """Those of several captions as one batch."""
        names = parts[0].tensors()
        return cls(**{name: torch.cat([part.tensors()[name] for part in parts]) for name in names})

    def weighted(self, weights: Tensor) -> Conditioning:
        """The states multiplied by weights [B, T], as kohya's trainer does; the pooled text stays as it is."""
        return replace(self, states=self.states * weights.to(self.states)[..., None])

    def tensors(self) -> dict[str, Tensor]:
        """What there is, by its name here."""
        return {"states": self.states} | ({} if self.pooled is None else {"pooled": self.pooled})

    def to(self, device: torch.device) -> Conditioning:
        """The same on another device."""
        return Conditioning(**{name: one.to(device, non_blocking=True) for name, one in self.tensors().items()})


@dataclass(frozen=True)
class BaseModel:
    """A base model in memory: frozen, in evaluation mode."""

    family: TrainerFamily
    structure: Structure
    prediction: Prediction
    """As found in the file or folder, else epsilon; what is trained is `model.prediction` of the configuration."""
    denoiser: Any
    text_encoders: tuple[Any, ...]
    tokenizers: tuple[Tokenizer, ...]
    vae: Any
    notes: tuple[str, ...] = ()
    """Notes on the file for the user."""

    @property
    def dtype(self) -> torch.dtype:
        """What denoiser and text encoders compute in."""
        return next(self.denoiser.parameters()).dtype  # type: ignore[no-any-return]

    @property
    def device(self) -> torch.device:
        """Where the denoiser lies."""
        return next(self.denoiser.parameters()).device  # type: ignore[no-any-return]

    def layer(self, target: LoraTarget) -> nn.Module:
        """The layer that an adapter is for."""
        if target.part == "unet":
            return self.denoiser.get_submodule(target.path)  # type: ignore[no-any-return]
        text_encoder = self.text_encoders[0 if target.part == "text_encoder" else 1]
        return text_root(text_encoder).get_submodule(target.path.removeprefix("text_model."))  # type: ignore[no-any-return]


class TrainerFamily(Protocol):
    """How the models of one architecture are loaded and called."""

    @property
    def name(self) -> str:
        """As in `model.family` and in `advisor.families`."""

    def build(
        self, structure: Structure, *, dtype: torch.dtype, vae_dtype: torch.dtype, device: torch.device
    ) -> BaseModel:
        """The networks without weights worth having: for measuring on meta or fake tensors."""

    def load(
        self,
        model: ModelConfig,
        identity: Identity,
        *,
        dtype: torch.dtype,
        vae_dtype: torch.dtype,
        device: torch.device,
        quantised: QuantisedDtype | None = None,
    ) -> BaseModel:
        """The networks with the file's weights.

        Args:
            quantised: what the denoiser's layers are kept in (`trainer.layers.quantised_layers`).

        Raises:
            ModelError: a weight is missing, unexpected or of another shape; it is named.
        """

    def tokenize(self, base: BaseModel, captions: Sequence[str], *, chunks: int = 1) -> tuple[Tensor, ...]:
        """Token numbers [B, K, L] on the CPU, one tensor for each text encoder."""

    def encode_text(self, base: BaseModel, token_ids: Sequence[Tensor], *, clip_skip: int = 1) -> Conditioning:
        """The text states of token numbers [B, K, L] of each text encoder, chunks joined."""

    def predict(
        self, base: BaseModel, noisy: Tensor, timesteps: Tensor, text: Conditioning, sizes: Tensor | None = None
    ) -> Tensor:
        """The denoiser's output [B, C, H, W] for latents [B, C, H, W] at timesteps [B] in 0..999.

        Args:
            sizes: [B, 6], in pixels, of each image: its own height and width, what was cropped off above and at the
                left, the height and width it is trained at. None: a whole image of the latents' size. Families that
                have no size conditioning ignore it.
        """

    def encode_images(self, base: BaseModel, images: Tensor, generator: torch.Generator | None) -> Tensor:
        """Scaled latents [B, C, H, W] in float32 of images [B, 3, h, w] in -1..1.

        Args:
            generator: on the CPU; the latents are drawn with it from the VAE's distribution, as kohya does once for
                each image. None takes the distribution's mean.
        """

    def decode_latents(self, base: BaseModel, latents: Tensor) -> Tensor:
        """Images [B, 3, h, w] in float32, -1..1, of scaled latents [B, C, H, W]."""

    def feature_block(self, base: BaseModel) -> nn.Module:
        """The block of the denoiser whose output [B, D, H, W] tells best what is where in an image."""

    def name_in_lora(self, base: BaseModel, path: str) -> str:
        """What LoRA files call the denoiser's layer at `path`, with points; the network's own way to find it again."""

    def is_skipped(self, base: BaseModel, target: LoraTarget, clip_skip: int) -> bool:
        """Whether a layer of a text encoder is never reached with this clip skip."""

    def enable_gradient_checkpointing(self, base: BaseModel, *, text_encoder: bool) -> None:
        """From now on activations are computed a second time in the backward pass instead of kept."""

"""What the loop needs of a model family, and the base model that a family loads.

Letters: B images in a batch; latents [B, C, ...] have the axes that the family gives them after their channels; h and w
an image's height and width in pixels, T text states, which are a caption's tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

import torch
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from torch import Tensor, nn
from torch.nn.functional import pad

from advisor.checkpoints.identity import Identity
from advisor.errors import ModelError
from advisor.families.structure import LoraTarget, Prediction
from advisor.settings.config import NUM_TRAIN_TIMESTEPS, MemoryConfig, ModelConfig, QuantisedDtype
from advisor.shown_text import short
from trainer.models.clip_text import text_root
from trainer.models.tokenizer import Tokenizer
from trainer.models.vae_slices import decoded, encoded

AdaptedWith = Literal["always", "wide"]
"""Every LoRA adapts the layers that are `always` adapted; few adapt the `wide` kind (convolutions, a text adapter), and
those adapt all of it."""


@dataclass(frozen=True)
class Conditioning:
    """The text conditioning of a batch: the family's own tensors by name, each with the batch as its first axis."""

    tensors: Mapping[str, Tensor]

    @classmethod
    def joined(cls, parts: Sequence[Conditioning]) -> Conditioning:
        """Those of several captions as one batch; shorter ones are filled up with zeros along their second axis."""
        return cls({name: _joined([part[name] for part in parts]) for name in parts[0].tensors})

    def __getitem__(self, name: str) -> Tensor:
        """The tensor of that name."""
        return self.tensors[name]

    @property
    def count(self) -> int:
        """Captions in the batch."""
        return next(iter(self.tensors.values())).shape[0]

    def part(self, part: slice) -> Conditioning:
        """Those of some of the captions."""
        return Conditioning({name: one[part] for name, one in self.tensors.items()})

    def to(self, device: torch.device) -> Conditioning:
        """The same on another device."""
        return Conditioning({name: one.to(device, non_blocking=True) for name, one in self.tensors.items()})


def _joined(parts: Sequence[Tensor]) -> Tensor:
    length = max((part.shape[1] for part in parts if part.ndim > 1), default=0)
    if all(part.ndim == 1 or part.shape[1] == length for part in parts):
        return torch.cat(list(parts))
    return torch.cat([pad(part, (0, 0) * (part.ndim - 2) + (0, length - part.shape[1])) for part in parts])


@dataclass(frozen=True)
class BaseModel:
    """A base model in memory: frozen, in evaluation mode."""

    family: TrainerFamily
    structure: Any
    """The family's own kind of `Structure`."""
    prediction: Prediction
    """As found in the file or folder, else epsilon; what is trained is `model.prediction` of the configuration."""
    denoiser: Any
    text_encoders: tuple[Any, ...]
    tokenizers: tuple[Tokenizer, ...]
    vae: Any
    notes: tuple[str, ...] = ()
    """Notes on the file for the user."""
    load_denoiser: Callable[[], None] | None = None
    """Fills the denoiser, which is on `meta` until then, where it is not to lie beside the text encoders."""
    texts: Mapping[str, Conditioning] = field(default_factory=dict)
    """What was encoded before the text encoders were freed, by its text; empty while there are any."""
    encode_slices: int = 1
    """In how many slices the VAE encodes a picture (`memory.encode_slices`); 1: whole."""
    decode_slices: int = 1
    """The same of decoding."""

    @property
    def dtype(self) -> torch.dtype:
        """What denoiser and text encoders compute in."""
        return next(self.denoiser.parameters()).dtype  # type: ignore[no-any-return]

    @property
    def device(self) -> torch.device:
        """Where the denoiser lies."""
        return next(self.denoiser.parameters()).device  # type: ignore[no-any-return]

    @property
    def middle_time(self) -> Tensor:
        """[1]: what the denoiser is told halfway between picture and noise, on its device."""
        middle = 0.5 if self.prediction == "flow" else NUM_TRAIN_TIMESTEPS // 2
        return torch.tensor([middle], device=self.device)

    def with_slices(self, memory: MemoryConfig) -> BaseModel:
        """The same, whose VAE works in as many slices as the settings say."""
        return replace(self, encode_slices=memory.encode_slices, decode_slices=memory.decode_slices)

    def vae_distribution(self, images: Tensor) -> DiagonalGaussianDistribution:
        """That of the VAE's own latents of images [B, 3, ..., h, w] in -1..1."""
        return encoded(self.vae, images, slices=self.encode_slices, factor=self.structure.vae.factor)

    def vae_images(self, latents: Tensor) -> Tensor:
        """Images [B, 3, ..., h, w] in float32, -1..1, of the VAE's own latents."""
        return decoded(self.vae, latents, slices=self.decode_slices, factor=self.structure.vae.factor)

    def whole(self) -> BaseModel:
        """The same with its denoiser's weights, read now where they were left for later."""
        if self.load_denoiser is None:
            return self
        self.load_denoiser()
        return replace(self, load_denoiser=None)

    def encoded(self, text: str, *, chunks: int = 1, clip_skip: int = 1, weighted: bool = False) -> Conditioning:
        """The conditioning of one text, where the text encoders lie.

        Args:
            text: a caption or prompt; without text encoders one of `texts`.
            chunks: how many chunks of tokens it may have.
            clip_skip: which hidden state is taken, counted from the end.
            weighted: read (tag:1.2) and [tag] as weights.

        Raises:
            ModelError: the text encoders were freed, and it was not encoded before.
        """
        if not self.text_encoders:
            if text not in self.texts:
                raise ModelError(f"{short(text)} was not encoded before the text encoder was freed: make it a prompt")
            return self.texts[text].to(self.device)
        family, weights, place = self.family, None, next(self.text_encoders[0].parameters()).device
        if weighted:
            ids, weights = family.tokenize_weighted(self, [text], chunks=chunks)
        else:
            ids = family.tokenize(self, [text], chunks=chunks)
        return family.encode_text(self, tuple(one.to(place) for one in ids), clip_skip=clip_skip, weights=weights)

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

    @property
    def trains_text_encoders(self) -> bool:
        """Whether its text encoders can have adapters."""

    @property
    def text_version(self) -> str:
        """How captions are read, beside the text encoders' weights, as a part of the keys of cached text; another one
        wherever that changes. Empty for CLIP's families, whose keys do without.
        """

    def build(self, structure: Any, *, dtype: torch.dtype, vae_dtype: torch.dtype, device: torch.device) -> BaseModel:
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

    def blank_tokens(self, structure: Any, count: int, *, chunks: int = 1) -> tuple[Tensor, ...]:
        """Token numbers of so many captions of the greatest length, as `tokenize` gives them, for measuring."""

    def tokenize(self, base: BaseModel, captions: Sequence[str], *, chunks: int = 1) -> tuple[Tensor, ...]:
        """Token numbers [B, ...] on the CPU, in the order that `encode_text` takes them.

        Args:
            chunks: how many of the text encoder's own lengths a caption may take, where the family counts so.
        """

    def tokenize_weighted(
        self, base: BaseModel, captions: Sequence[str], *, chunks: int = 1
    ) -> tuple[tuple[Tensor, ...], Tensor | None]:
        """The same of captions in which (tag:1.2) and [tag] are weighed, and the weights [B, T].

        None: the family knows no weights, and brackets stay text.
        """

    def num_tokens_too_long(self, base: BaseModel, caption: str, *, chunks: int, weighted: bool) -> int:
        """How many tokens a caption has that is longer than the text encoders read; 0 where it is not."""

    def encode_text(
        self, base: BaseModel, token_ids: Sequence[Tensor], *, clip_skip: int = 1, weights: Tensor | None = None
    ) -> Conditioning:
        """The conditioning of token numbers, with weights [B, T] of its states where captions are weighed."""

    def latent_shape(self, structure: Any, width_px: int, height_px: int) -> tuple[int, ...]:
        """The shape of an image's latents, from their channels on."""

    def predict(
        self, base: BaseModel, noisy: Tensor, times: Tensor, text: Conditioning, sizes: Tensor | None = None
    ) -> Tensor:
        """The denoiser's output [B, C, ...] for latents [B, C, ...] at times [B] (`NoiseDraw.times`).

        Args:
            sizes: [B, 6], in pixels, of each image: its own height and width, what was cropped off above and at the
                left, the height and width it is trained at. None: a whole image of the latents' size. Families that
                have no size conditioning ignore it.
        """

    def encode_images(self, base: BaseModel, images: Tensor, generator: torch.Generator | None) -> Tensor:
        """Scaled latents [B, C, ...] in float32 of images [B, 3, h, w] in -1..1.

        Args:
            generator: on the CPU; the latents are drawn with it from the VAE's distribution, as kohya does once for
                each image. None takes the distribution's mean.
        """

    def decode_latents(self, base: BaseModel, latents: Tensor) -> Tensor:
        """Images [B, 3, h, w] in float32, -1..1, of scaled latents [B, C, ...]."""

    def feature_block(self, base: BaseModel) -> nn.Module:
        """The block of the denoiser whose output [B, D, H, W] tells best what is where in an image."""

    def name_in_lora(self, base: BaseModel, path: str) -> str:
        """What LoRA files call the denoiser's layer at `path`, with points; the network's own way to find it again."""

    def adapted_with(self, path: str) -> AdaptedWith | None:
        """With which others the denoiser's layer at `path` has an adapter in every LoRA that trains the denoiser."""

    def is_skipped(self, base: BaseModel, target: LoraTarget, clip_skip: int) -> bool:
        """Whether a layer of a text encoder is never reached with this clip skip."""

    def enable_gradient_checkpointing(self, base: BaseModel, *, text_encoder: bool, blocks: int = 0) -> None:
        """From now on activations are computed a second time in the backward pass instead of kept.

        Args:
            text_encoder: in text encoders too.
            blocks: in so many of the denoiser's blocks, counted from the first; 0: in all.
        """

"""What families of flow matching have in common: a transformer as denoiser, a language model that captions are read
with before the denoiser is loaded, and a VAE; each a file of its own.

Letters: B images in a batch, C latent channels, H and W latent height and width, T tokens of a caption.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from advisor.checkpoints.identity import Identity
from advisor.families import family
from advisor.families.structure import LoraTarget
from advisor.settings.config import ModelConfig, QuantisedDtype
from trainer.models.build import building, refusing_impossible
from trainer.models.families.family import BaseModel
from trainer.models.language_model import build_text_encoder
from trainer.models.part_files import PartFiles, files_of, load_text_encoder


@dataclass(frozen=True)
class FlowFamily(ABC):
    """How such a family is loaded and called."""

    name: str
    text_version: str

    @property
    def trains_text_encoders(self) -> bool:
        """The language model stays as it is."""
        return False

    def build(self, structure: Any, *, dtype: torch.dtype, vae_dtype: torch.dtype, device: torch.device) -> BaseModel:
        """The networks without weights worth having."""
        with building(device, dtype):
            denoiser = self._new_denoiser(structure)
            text_encoders = tuple(build_text_encoder(text) for text in structure.text)
        with building(device, vae_dtype):
            vae = self._new_vae(structure)
        for network in (denoiser, vae, *text_encoders):
            network.requires_grad_(False)
            network.eval()
        return BaseModel(self, structure, "flow", denoiser, text_encoders, (), vae)  # type: ignore[arg-type]

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
        """The networks with the weights of the base model's file and of those that are found for it."""
        files = files_of(model, identity)
        return self.load_files(files, dtype=dtype, vae_dtype=vae_dtype, device=device, quantised=quantised)

    def load_files(
        self,
        files: PartFiles,
        *,
        dtype: torch.dtype,
        vae_dtype: torch.dtype,
        device: torch.device,
        quantised: QuantisedDtype | None = None,
    ) -> BaseModel:
        """The networks with their files' weights, frozen; the denoiser's are read when `load_denoiser` is called.

        Raises:
            ModelError: a file does not fit.
        """
        structure = self.structure_of_files(files)
        with refusing_impossible(files.denoiser):
            base = self.build(structure, dtype=dtype, vae_dtype=vae_dtype, device=torch.device("meta"))
        (text,) = structure.text
        packs = quantised is not None and family(self.name).quantised_text is not None
        load_text_encoder(
            base.text_encoders[0], files.text_encoder, dtype=dtype, device=device,
            quantised="int8" if packs else None, unread_layers=text.unread_layers,
        )  # fmt: skip
        self._load_vae(base.vae, files.vae, structure, dtype=vae_dtype, device=device)
        late = partial(self._load_denoiser, base.denoiser, files.denoiser)
        return replace(base, load_denoiser=partial(late, dtype=dtype, device=device, quantised=quantised))

    def tokenize_weighted(
        self, base: BaseModel, captions: Sequence[str], *, chunks: int = 1
    ) -> tuple[tuple[Tensor, ...], None]:
        """Token numbers; brackets are text, since captions are sentences."""
        return self.tokenize(base, captions, chunks=chunks), None

    def latent_shape(self, structure: Any, width_px: int, height_px: int) -> tuple[int, ...]:
        """[C, H, W]."""
        vae = structure.vae
        return vae.latent_channels, height_px // vae.factor, width_px // vae.factor

    def is_skipped(self, base: BaseModel, target: LoraTarget, clip_skip: int) -> bool:  # noqa: ARG002
        """No layer is."""
        return False

    def enable_gradient_checkpointing(self, base: BaseModel, *, text_encoder: bool, blocks: int = 0) -> None:  # noqa: ARG002
        """From now on activations are computed a second time in the backward pass instead of kept."""
        base.denoiser.enable_gradient_checkpointing(blocks)

    @abstractmethod
    def tokenize(self, base: BaseModel, captions: Sequence[str], *, chunks: int = 1) -> tuple[Tensor, ...]:
        """Token numbers and masks, [B, T] each, on the CPU, in the order that `encode_text` takes them."""

    @abstractmethod
    def structure_of_files(self, files: PartFiles) -> Any:
        """The measures of all three, from their headers.

        Raises:
            ModelError: one cannot be read, is something else, is packed, or does not fit the others.
        """

    @abstractmethod
    def _new_denoiser(self, structure: Any) -> nn.Module:
        """Of these measures, with weights of any kind."""

    @abstractmethod
    def _new_vae(self, structure: Any) -> nn.Module:
        """Likewise."""

    @abstractmethod
    def _load_denoiser(
        self,
        denoiser: Any,
        path: Path,
        *,
        dtype: torch.dtype,
        device: torch.device,
        quantised: QuantisedDtype | None,
    ) -> None:
        """Fill what was built on `meta`; refuse what is missing, unexpected or of another shape."""

    @abstractmethod
    def _load_vae(
        self, vae: nn.Module, path: Path, structure: Any, *, dtype: torch.dtype, device: torch.device
    ) -> None:
        """Likewise."""


def filled(rows: Sequence[list[int]]) -> tuple[Tensor, Tensor]:
    """Rows filled up with 0 to the longest, at least one place long, and which places hold tokens."""
    length = max([1, *(len(row) for row in rows)])
    ids = torch.tensor([row + [0] * (length - len(row)) for row in rows], dtype=torch.int64)
    mask = torch.tensor([[place < len(row) for place in range(length)] for row in rows])
    return ids, mask

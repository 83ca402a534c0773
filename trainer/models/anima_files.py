"""Anima's files: the denoiser with its text adapter, the text encoder, the VAE; found, measured and read strictly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from advisor.checkpoints.identity import Identity
from advisor.checkpoints.part_files import PartFile, part_files
from advisor.errors import ModelError
from advisor.families.anima import denoiser_prefix, read_structure
from advisor.families.part_files import qwen_structure, video_vae_structure
from advisor.families.structure import FlowStructure
from advisor.settings.config import ModelConfig, QuantisedDtype
from advisor.tensor_files.header import read_header
from trainer.models.anima_keys import LEFTOVERS, denoiser_key, video_vae_key
from trainer.models.anima_networks import AnimaDenoiser, with_rotary_tables
from trainer.models.weight_files import Source, fill, open_weights, refuse_unexpected

UNUSED_TEXT = ("lm_head.weight",)
"""What files of the text encoder hold besides: the layer that guesses the next word."""


@dataclass(frozen=True)
class PartFiles:
    """Where the parts of a base model lie."""

    denoiser: Path
    text_encoder: Path
    vae: Path


def files_of(model: ModelConfig, identity: Identity) -> PartFiles:
    """The base model's file, and the text encoder's and the VAE's where they are set or found.

    Raises:
        ModelError: one is not found; the file to get is named.
    """
    found = {part.kind: part for part in part_files(identity)}
    text_encoder = _place(model.path, found["text_encoder"], None)
    return PartFiles(Path(model.path), text_encoder, _place(model.path, found["vae"], model.vae_path))


def _place(base: str, part: PartFile, given: str | None) -> Path:
    if not (path := given or part.path):
        raise ModelError(
            f"{base} has no {part.title} of its own, and none that fits lies beside it: get {part.to_get} and put it "
            "there"
        )
    return Path(path)


def structure_of_files(files: PartFiles) -> FlowStructure:
    """The measures of all three, from their headers.

    Raises:
        ModelError: one cannot be read, is something else, or does not fit the others.
    """
    whole = read_structure(read_header(files.denoiser).tensors)
    text = qwen_structure(read_header(files.text_encoder).tensors)
    vae = video_vae_structure(read_header(files.vae).tensors)
    if whole is None:
        raise ModelError(f"{files.denoiser} is no Anima model, or is damaged: choose another base model")
    if text is None or text[1].width != whole.adapter.source_width:
        has = "holds no Qwen3" if text is None else f"holds a Qwen3 of width {text[1].width}"
        raise ModelError(
            f"model.text_encoder_path names {files.text_encoder}, which {has}; this base reads captions with one of "
            f"width {whole.adapter.source_width} (Qwen3-0.6B): choose that file"
        )
    if vae is None or vae[1].latent_channels != whole.denoiser.latent_channels:
        raise ModelError(f"model.vae_path names {files.vae}, which holds no Qwen-Image VAE: choose that file")
    return FlowStructure(whole.denoiser, whole.adapter, (text[1],), vae[1], whole.native_px)


def load_denoiser(
    denoiser: AnimaDenoiser,
    path: Path,
    *,
    dtype: torch.dtype,
    device: torch.device,
    quantised: QuantisedDtype | None = None,
) -> None:
    """Fill transformer and adapter, built on `meta`, from the file.

    Raises:
        ModelError: a weight is missing, unexpected or of another shape.
    """
    prefix = denoiser_prefix(read_header(path).tensors) or ""
    _fill_strictly(
        denoiser, path, lambda own: prefix + denoiser_key(own), prefix, dtype=dtype, device=device, quantised=quantised
    )
    with_rotary_tables(denoiser, device)


def load_text_encoder(encoder: nn.Module, path: Path, *, dtype: torch.dtype, device: torch.device) -> None:
    """Fill a Qwen3, built on `meta`, from its file.

    Raises:
        ModelError: a weight is missing, unexpected or of another shape.
    """
    found = qwen_structure(read_header(path).tensors)
    prefix = "" if found is None else found[0]
    _fill_strictly(encoder, path, lambda own: prefix + own, prefix, dtype=dtype, device=device)
    with_rotary_tables(encoder, device)


def load_vae(vae: nn.Module, path: Path, *, dtype: torch.dtype, device: torch.device) -> None:
    """Fill a Qwen-Image VAE, built on `meta`, from its file in Wan's names or diffusers'.

    Raises:
        ModelError: a weight is missing, unexpected or of another shape.
    """
    tensors = read_header(path).tensors
    found = video_vae_structure(tensors)
    prefix = "" if found is None else found[0]
    is_diffusers = f"{prefix}encoder.conv_in.weight" in tensors
    name: Callable[[str], str] = (lambda own: own) if is_diffusers else video_vae_key
    _fill_strictly(vae, path, lambda own: prefix + name(own), prefix, dtype=dtype, device=device)


def _fill_strictly(
    network: nn.Module,
    path: Path,
    name: Callable[[str], str],
    prefix: str,
    *,
    dtype: torch.dtype,
    device: torch.device,
    quantised: QuantisedDtype | None = None,
) -> None:
    sources = {own: Source(name(own)) for own in network.state_dict()}
    with open_weights([path], path) as weights:
        used = {source.name for source in sources.values()} | set(UNUSED_TEXT)
        rest = [one for one in weights.names - used if one.startswith(prefix) and not LEFTOVERS.search(one)]
        refuse_unexpected(rest, path)
        fill(network, sources, weights, dtype=dtype, device=device, quantised=quantised)

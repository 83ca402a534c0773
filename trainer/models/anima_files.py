"""Anima's parts: the denoiser with its text adapter, the text encoder, the VAE; measured and read strictly."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from advisor.errors import ModelError
from advisor.families.anima import ADAPTER, ADAPTER_FOLDER, denoiser_prefix, read_structure
from advisor.families.anima_structure import AnimaStructure
from advisor.families.part_files import qwen_structure, video_vae_structure
from advisor.families.signature import Tensors
from advisor.files import is_folder
from advisor.settings.config import QuantisedDtype
from trainer.models.anima_keys import CONDITIONER, LEFTOVERS, TRANSFORMER, denoiser_key, video_vae_key
from trainer.models.anima_networks import AnimaDenoiser, with_rotary_tables
from trainer.models.diffusers_folder import weight_files
from trainer.models.part_files import (
    TRANSFORMER_FOLDER,
    PartFiles,
    files_of_part,
    fill_strictly,
    fitting_text,
    tensors_of,
)
from trainer.models.weight_files import Source


def structure_of_files(files: PartFiles) -> AnimaStructure:
    """The measures of all three, from their headers.

    Raises:
        ModelError: one cannot be read, is something else, is packed, or does not fit the others.
    """
    whole = read_structure(_denoiser_tensors(files.denoiser))
    text = qwen_structure(tensors_of(files_of_part(files.text_encoder, "text_encoder")))
    vae = video_vae_structure(tensors_of(files_of_part(files.vae, "vae")))
    if whole is None:
        raise ModelError(f"{files.denoiser} is no Anima model, or is damaged: choose another base model")
    own = fitting_text(text, files.text_encoder, width=whole.adapter.source_width, name="Qwen3-0.6B")
    if vae is None or vae[1].latent_channels != whole.denoiser.latent_channels:
        raise ModelError(f"model.vae_path names {files.vae}, which holds no Qwen-Image VAE: choose that file")
    return AnimaStructure(whole.denoiser, whole.adapter, (own,), vae[1], whole.native_px)


def load_denoiser(
    denoiser: AnimaDenoiser,
    path: Path,
    *,
    dtype: torch.dtype,
    device: torch.device,
    quantised: QuantisedDtype | None = None,
) -> None:
    """Fill transformer and adapter, built on `meta`, from the file or folder.

    Raises:
        ModelError: a weight is missing, unexpected or of another shape.
    """
    files = _denoiser_files(path)
    prefix = "" if is_folder(path) else denoiser_prefix(tensors_of(files)) or ""
    key = _name_in_folder if is_folder(path) else denoiser_key
    sources = {own: Source(prefix + key(own)) for own in denoiser.state_dict()}
    fill_strictly(
        denoiser, files, path, sources, prefix, dtype=dtype, device=device, quantised=quantised,
        is_left_over=_is_left_over,
    )  # fmt: skip
    with_rotary_tables(denoiser, device)


def load_vae(vae: nn.Module, path: Path, *, dtype: torch.dtype, device: torch.device) -> None:
    """Fill a Qwen-Image VAE, built on `meta`, from its file or folder, in Wan's names or diffusers'.

    Raises:
        ModelError: a weight is missing, unexpected or of another shape.
    """
    files = files_of_part(path, "vae")
    tensors = tensors_of(files)
    found = video_vae_structure(tensors)
    prefix = "" if found is None else found[0]
    is_diffusers = f"{prefix}encoder.conv_in.weight" in tensors
    sources = {own: Source(prefix + (own if is_diffusers else video_vae_key(own))) for own in vae.state_dict()}
    fill_strictly(vae, files, path, sources, prefix, dtype=dtype, device=device, is_left_over=_is_left_over)


def _denoiser_files(path: Path) -> list[Path]:
    if is_folder(path):
        return [*weight_files(path / TRANSFORMER_FOLDER), *weight_files(path / ADAPTER_FOLDER)]
    return [path]


def _denoiser_tensors(path: Path) -> Tensors:
    """The denoiser's tensors under the names that single files have for them."""
    if not is_folder(path):
        return tensors_of([path])
    transformer = tensors_of(weight_files(path / TRANSFORMER_FOLDER))
    adapter = tensors_of(weight_files(path / ADAPTER_FOLDER))
    return {denoiser_key(TRANSFORMER + name): one for name, one in transformer.items()} | {
        ADAPTER + name: one for name, one in adapter.items()
    }


def _name_in_folder(own: str) -> str:
    return own.removeprefix(TRANSFORMER).removeprefix(CONDITIONER)


def _is_left_over(name: str) -> bool:
    return LEFTOVERS.search(name) is not None

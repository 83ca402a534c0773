"""Z-Image's parts: the denoiser, the text encoder, the VAE; measured and read strictly."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from advisor.errors import ModelError
from advisor.families.signature import Tensors
from advisor.families.z_image import denoiser_prefix, read_folder, read_structure, text_structure, vae_structure
from advisor.families.z_image_structure import ZImageStructure
from advisor.files import is_folder
from advisor.settings.config import QuantisedDtype
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
from trainer.models.z_image_networks import ZImageDenoiser

TRANSFORMER = "transformer."
"""What our denoiser's names begin with."""
FUSED = ".attention.qkv.weight"
"""Single files have an attention's queries, keys and values as one weight, in this order."""
LEFTOVERS = re.compile(r"(^|\.)norm_final\.weight$|_extra_state$")
"""A norm that no layer of the published model has a use for."""
_PLACES = (
    (r"^all_x_embedder\.2-1", "x_embedder"),
    (r"^all_final_layer\.2-1", "final_layer"),
    (r"\.attention\.norm_([qk])\b", r".attention.\1_norm"),
    (r"\.attention\.to_out\.0\b", ".attention.out"),
)
"""Parts of diffusers' names and what stands there in single files."""
_QKV = re.compile(r"\.attention\.to_([qkv])\.weight$")


def denoiser_source(own: str, prefix: str = "") -> Source:
    """Where a single file has one of our denoiser's weights."""
    name = own.removeprefix(TRANSFORMER)
    if found := _QKV.search(name):
        return Source(prefix + name[: found.start()] + FUSED, "qkv".index(found[1]), 3)
    for pattern, theirs in _PLACES:
        name = re.sub(pattern, theirs, name)
    return Source(prefix + name)


def structure_of_files(files: PartFiles) -> ZImageStructure:
    """The measures of all three, from their headers.

    Raises:
        ModelError: one cannot be read, is something else, is packed, or does not fit the others.
    """
    tensors = tensors_of(_denoiser_files(files.denoiser))
    whole = read_folder({TRANSFORMER_FOLDER: tensors}) if is_folder(files.denoiser) else read_structure(tensors)
    text = text_structure(tensors_of(files_of_part(files.text_encoder, "text_encoder")))
    vae = vae_structure(tensors_of(files_of_part(files.vae, "vae")))
    if whole is None:
        raise ModelError(f"{files.denoiser} is no Z-Image model, or is damaged: choose another base model")
    own = fitting_text(text, files.text_encoder, width=whole.denoiser.text_width, name="Qwen3-4B")
    if vae is None or vae[1].latent_channels != whole.denoiser.latent_channels:
        raise ModelError(f"model.vae_path names {files.vae}, which holds no VAE of FLUX.1: choose that file")
    return ZImageStructure(whole.denoiser, (own,), vae[1], whole.native_px)


def load_denoiser(
    denoiser: ZImageDenoiser,
    path: Path,
    *,
    dtype: torch.dtype,
    device: torch.device,
    quantised: QuantisedDtype | None = None,
) -> None:
    """Fill the transformer, built on `meta`, from the file or folder.

    Raises:
        ModelError: a weight is missing, unexpected or of another shape.
    """
    files = _denoiser_files(path)
    tensors = tensors_of(files)
    prefix = "" if is_folder(path) else denoiser_prefix(tensors) or ""
    is_fused = _is_fused(tensors, prefix)
    sources = {
        own: denoiser_source(own, prefix) if is_fused else Source(prefix + own.removeprefix(TRANSFORMER))
        for own in denoiser.state_dict()
    }
    fill_strictly(
        denoiser, files, path, sources, prefix, dtype=dtype, device=device, quantised=quantised,
        is_left_over=lambda name: LEFTOVERS.search(name) is not None,
    )  # fmt: skip


def _denoiser_files(path: Path) -> list[Path]:
    return weight_files(path / TRANSFORMER_FOLDER) if is_folder(path) else [path]


def _is_fused(tensors: Tensors, prefix: str) -> bool:
    return f"{prefix}layers.0{FUSED}" in tensors

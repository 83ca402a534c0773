"""Anima's parts: the denoiser with its text adapter, the text encoder, the VAE. Each is a file, or in a diffusers
folder; found, measured and read strictly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from advisor.checkpoints.identity import Identity, PartFile
from advisor.errors import ModelError
from advisor.families.anima import ADAPTER, ADAPTER_FOLDER, denoiser_prefix, read_structure
from advisor.families.anima_structure import AnimaStructure
from advisor.families.part_files import PartKind, qwen_structure, video_vae_structure
from advisor.families.signature import Tensors
from advisor.files import is_folder
from advisor.settings.config import ModelConfig, QuantisedDtype
from advisor.tensor_files.header import TensorInfo, read_header
from advisor.tensor_files.scaled_fp8 import is_beside_a_weight, why_not_plain
from trainer.models.anima_keys import CONDITIONER, LEFTOVERS, TRANSFORMER, denoiser_key, video_vae_key
from trainer.models.anima_networks import AnimaDenoiser, with_rotary_tables
from trainer.models.diffusers_folder import weight_files
from trainer.models.weight_files import Source, fill, open_weights, refuse_unexpected

UNUSED_TEXT = ("lm_head.weight",)
"""What files of the text encoder hold besides: the layer that guesses the next word."""
TRANSFORMER_FOLDER = "transformer"
"""Where a diffusers folder keeps the denoiser, without its adapter."""


@dataclass(frozen=True)
class PartFiles:
    """Where the parts of a base model lie: each in a file, or in a diffusers folder or its subfolder."""

    denoiser: Path
    text_encoder: Path
    vae: Path


def files_of(model: ModelConfig, identity: Identity) -> PartFiles:
    """The base model's file, and the text encoder's and the VAE's where they are set or found.

    Raises:
        ModelError: one is not found; the file to get is named.
    """
    found = {part.kind: part for part in identity.part_files}
    text_encoder = _place(model.path, found["text_encoder"], "model.text_encoder_path", model.text_encoder_path)
    return PartFiles(Path(model.path), text_encoder, _place(model.path, found["vae"], "model.vae_path", model.vae_path))


def _place(base: str, part: PartFile, setting: str, given: str | None) -> Path:
    if not (path := given or part.path):
        raise ModelError(
            f"{base} has no {part.title} of its own, and none that fits lies beside it: get {part.to_get} and put it "
            f"there, or name it with {setting}"
        )
    return Path(path)


def structure_of_files(files: PartFiles) -> AnimaStructure:
    """The measures of all three, from their headers.

    Raises:
        ModelError: one cannot be read, is something else, is packed, or does not fit the others.
    """
    whole = read_structure(_denoiser_tensors(files.denoiser))
    text = qwen_structure(_tensors(_files(files.text_encoder, "text_encoder")))
    vae = video_vae_structure(_tensors(_files(files.vae, "vae")))
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
    return AnimaStructure(whole.denoiser, whole.adapter, (text[1],), vae[1], whole.native_px)


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
    prefix = "" if is_folder(path) else denoiser_prefix(_tensors(files)) or ""
    key = _name_in_folder if is_folder(path) else denoiser_key
    _fill_strictly(
        denoiser, files, path, lambda own: prefix + key(own), prefix, dtype=dtype, device=device, quantised=quantised
    )
    with_rotary_tables(denoiser, device)


def load_text_encoder(encoder: nn.Module, path: Path, *, dtype: torch.dtype, device: torch.device) -> None:
    """Fill a Qwen3, built on `meta`, from its file or folder.

    Raises:
        ModelError: a weight is missing, unexpected or of another shape.
    """
    files = _files(path, "text_encoder")
    found = qwen_structure(_tensors(files))
    prefix = "" if found is None else found[0]
    _fill_strictly(encoder, files, path, lambda own: prefix + own, prefix, dtype=dtype, device=device)
    with_rotary_tables(encoder, device)


def load_vae(vae: nn.Module, path: Path, *, dtype: torch.dtype, device: torch.device) -> None:
    """Fill a Qwen-Image VAE, built on `meta`, from its file or folder, in Wan's names or diffusers'.

    Raises:
        ModelError: a weight is missing, unexpected or of another shape.
    """
    files = _files(path, "vae")
    tensors = _tensors(files)
    found = video_vae_structure(tensors)
    prefix = "" if found is None else found[0]
    is_diffusers = f"{prefix}encoder.conv_in.weight" in tensors
    name: Callable[[str], str] = (lambda own: own) if is_diffusers else video_vae_key
    _fill_strictly(vae, files, path, lambda own: prefix + name(own), prefix, dtype=dtype, device=device)


def _denoiser_files(path: Path) -> list[Path]:
    if is_folder(path):
        return [*weight_files(path / TRANSFORMER_FOLDER), *weight_files(path / ADAPTER_FOLDER)]
    return [path]


def _files(path: Path, kind: PartKind) -> list[Path]:
    """The files of a part: itself, or those in the folder or in the folder's subfolder of that kind."""
    if not is_folder(path):
        return [path]
    return weight_files(path / kind if is_folder(path / kind) else path)


def _denoiser_tensors(path: Path) -> Tensors:
    """The denoiser's tensors under the names that single files have for them."""
    if not is_folder(path):
        return _tensors([path])
    transformer = _tensors(weight_files(path / TRANSFORMER_FOLDER))
    adapter = _tensors(weight_files(path / ADAPTER_FOLDER))
    return {denoiser_key(TRANSFORMER + name): one for name, one in transformer.items()} | {
        ADAPTER + name: one for name, one in adapter.items()
    }


def _tensors(files: Sequence[Path]) -> Tensors:
    """The tensors of a part's files.

    Raises:
        ModelError: a file cannot be read, or its weights are packed in a way that cannot be brought back to 16 bits.
    """
    found = dict[str, TensorInfo]()
    for path in files:
        tensors = read_header(path).tensors
        if fault := why_not_plain(tensors):
            raise ModelError(f"{path}: {fault}; choose the same model in 16 bits, or in plain or scaled float8")
        found |= tensors
    return found


def _name_in_folder(own: str) -> str:
    return own.removeprefix(TRANSFORMER).removeprefix(CONDITIONER)


def _fill_strictly(
    network: nn.Module,
    files: Sequence[Path],
    where: Path,
    name: Callable[[str], str],
    prefix: str,
    *,
    dtype: torch.dtype,
    device: torch.device,
    quantised: QuantisedDtype | None = None,
) -> None:
    sources = {own: Source(name(own)) for own in network.state_dict()}
    with open_weights(files, where) as weights:
        used = {source.name for source in sources.values()} | set(UNUSED_TEXT)
        rest = [one for one in weights.names - used if one.startswith(prefix) and not LEFTOVERS.search(one)]
        refuse_unexpected([one for one in rest if not is_beside_a_weight(one, weights.names)], where)
        fill(network, sources, weights, dtype=dtype, device=device, quantised=quantised)

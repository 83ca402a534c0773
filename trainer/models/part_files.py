"""Base models whose text encoder and VAE are files of their own: where these lie, and how each is read strictly."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from advisor.checkpoints.identity import Identity, PartFile
from advisor.errors import ModelError
from advisor.families.language_model import LanguageStructure
from advisor.families.part_files import PartKind, qwen_structure
from advisor.families.signature import Tensors, num_layers
from advisor.files import is_folder
from advisor.settings.config import ModelConfig, QuantisedDtype
from advisor.tensor_files.header import TensorInfo, read_header
from advisor.tensor_files.scaled_fp8 import is_beside_a_weight, why_not_plain
from trainer.models.diffusers_folder import weight_files
from trainer.models.language_model import with_rotary_tables
from trainer.models.weight_files import Source, Weights, fill, open_weights, refuse_unexpected

UNUSED_TEXT = re.compile(r"^lm_head\.weight$|(^|\.)inv_freq$")
"""What files of a language model hold besides: the layer that guesses the next word, frequencies of positions."""
TRANSFORMER_FOLDER = "transformer"
"""Where a diffusers folder keeps the denoiser."""


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


def fitting_text(
    found: tuple[str, LanguageStructure] | None, file: Path, *, width: int, name: str
) -> LanguageStructure:
    """The measures of the text encoder in a file, where it is the one that the base reads captions with.

    Args:
        found: with the names' prefix, as read from the headers; None: there is no language model.
        width: of its states, as the base has them.
        name: of the published one.

    Raises:
        ModelError: it is another.
    """
    if found is not None and found[1].width == width:
        return found[1]
    has = "holds no Qwen3" if found is None else f"holds a Qwen3 of width {found[1].width}"
    raise ModelError(
        f"model.text_encoder_path names {file}, which {has}; this base reads captions with one of width {width} "
        f"({name}): choose that file"
    )


def load_text_encoder(
    encoder: nn.Module,
    path: Path,
    *,
    dtype: torch.dtype,
    device: torch.device,
    quantised: QuantisedDtype | None = None,
    unread_layers: int = 0,
) -> None:
    """Fill a Qwen3, built on `meta`, from its file or folder.

    Args:
        quantised: what its linear layers are kept in.
        unread_layers: at the file's end, which the network was built without.

    Raises:
        ModelError: a weight is missing, unexpected or of another shape.
    """
    files = files_of_part(path, "text_encoder")
    tensors = tensors_of(files)
    found = qwen_structure(tensors)
    prefix = "" if found is None else found[0]
    sources = {own: Source(prefix + own) for own in encoder.state_dict()}
    unread = _unread(tensors, prefix, unread_layers)
    fill_strictly(
        encoder, files, path, sources, prefix, dtype=dtype, device=device, quantised=quantised,
        is_left_over=lambda name: UNUSED_TEXT.search(name) is not None or name.startswith(unread),
    )  # fmt: skip
    with_rotary_tables(encoder, device)


def fill_strictly(
    network: nn.Module,
    files: Sequence[Path],
    where: Path,
    sources: Mapping[str, Source],
    prefix: str,
    *,
    dtype: torch.dtype,
    device: torch.device,
    quantised: QuantisedDtype | None = None,
    is_left_over: Callable[[str], bool] = lambda _: False,
) -> None:
    """Fill a network, built on `meta`, of which every weight is in the files, and of whose names these hold no other.

    Args:
        where: for messages.
        prefix: the network's in the files; what is called otherwise belongs to another network.
        is_left_over: whether a name, as it stands in the file, is passed over.

    Raises:
        ModelError: a weight is missing, unexpected or of another shape.
    """
    with open_weights(files, where) as weights:
        refuse_unexpected(
            _unexpected(weights, {source.name for source in sources.values()}, prefix, is_left_over), where
        )
        fill(network, sources, weights, dtype=dtype, device=device, quantised=quantised)


def files_of_part(path: Path, kind: PartKind) -> list[Path]:
    """The files of a part: itself, or those in the folder or in the folder's subfolder of that kind."""
    if not is_folder(path):
        return [path]
    return weight_files(path / kind if is_folder(path / kind) else path)


def tensors_of(files: Sequence[Path]) -> Tensors:
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


def _place(base: str, part: PartFile, setting: str, given: str | None) -> Path:
    if not (path := given or part.path):
        raise ModelError(
            f"{base} has no {part.title} of its own, and none that fits lies beside it: get {part.to_get} and put it "
            f"there, or name it with {setting}"
        )
    return Path(path)


def _unexpected(weights: Weights, used: set[str], prefix: str, is_left_over: Callable[[str], bool]) -> list[str]:
    rest = [one for one in weights.names - used if one.startswith(prefix) and not is_left_over(one)]
    return [one for one in rest if not is_beside_a_weight(one, weights.names)]


def _unread(tensors: Tensors, prefix: str, number: int) -> tuple[str, ...]:
    """What the names of a language model's last layers begin with, and of the norm after them."""
    if not number:
        return ()
    layers = num_layers(tensors, f"{prefix}layers.")
    return (f"{prefix}norm.", *(f"{prefix}layers.{one}." for one in range(layers - number, layers)))

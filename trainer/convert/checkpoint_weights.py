"""The weights in a file of torch.save, and what was left out of them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from advisor.errors import ModelError
from advisor.units import counted
from trainer.convert.pickle_names import LEFT_OUT, PLAIN_TABLES
from trainer.convert.pickle_scan import DAMAGED, Scan, printable
from trainer.lora_files.write_safetensors import DTYPE_NAMES
from trainer.models.weight_files import named

TABLES = ("state_dict", "model", "module", "params_ema", "params")
"""Under these names checkpoints keep the table of weights; without one of them the file is that table itself."""
AVERAGES = "model_ema."
FIRST_COPY = "model.diffusion_model."
RESERVED = "__metadata__"
"""The one name that no tensor of a safetensors file may have."""


class LeftOut:
    """Stands where a pickle names something that is no part of weights; holds and does nothing."""

    def __new__(cls, *_: object) -> LeftOut:
        """Take whatever the pickle would have made it of."""
        return super().__new__(cls)

    def __init__(self, *_: object) -> None: ...

    def __setstate__(self, state: object) -> None:
        """Forget it."""


@dataclass(frozen=True)
class Checkpoint:
    """The weights, by name."""

    tensors: dict[str, Tensor]
    notes: tuple[str, ...]
    """A sentence for each kind of thing that was left out."""


def load_checkpoint(path: Path, scan: Scan) -> Checkpoint:
    """The weights in a scanned file; those of a zip archive stay on the disk until they are looked at.

    Raises:
        ModelError: it cannot be read as weights, or it holds something else than a model's.
    """
    loaded = _load(path, scan)
    table, notes = _table(loaded, path)
    kept = dict[str, Tensor]()
    others = list[str]()
    for name, value in table.items():
        if isinstance(value, Tensor) and is_plain(value) and is_plain_name(name):
            kept[name] = value.detach()
        else:
            others.append(printable(str(name)))
    if others:
        notes.append(f"Left out, since they are no plain tensors: {named(others)}.")
    notes += _drop_averages(kept)
    strangers = sorted(scan.names & (LEFT_OUT | PLAIN_TABLES))
    if strangers:
        notes.append(f"Passed over unread, as notes of the program that trained it: {named(strangers)}.")
    if not kept:
        raise ModelError(f"{path} holds no weights: there is nothing to convert; choose another file")
    return Checkpoint(kept, tuple(notes))


def is_plain(tensor: Tensor) -> bool:
    """Whether a safetensors file can hold it: dense numbers that are there, of a dtype that the format has."""
    return (
        tensor.layout is torch.strided
        and not tensor.is_quantized
        and not tensor.is_meta
        and tensor.dtype in DTYPE_NAMES
    )


def is_plain_name(name: object) -> bool:
    """Whether it can name a tensor."""
    if not isinstance(name, str) or name == RESERVED:
        return False
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def _load(path: Path, scan: Scan) -> object:
    """What `torch.load` makes of it, restricted to weights."""
    stand_ins: list[Any] = [(LeftOut, name) for name in scan.names & LEFT_OUT]
    stand_ins += [
        (dict if name.endswith("AttributeDict") else _plain_table, name) for name in scan.names & PLAIN_TABLES
    ]
    with warnings.catch_warnings(), torch.serialization.safe_globals(stand_ins):
        warnings.simplefilter("ignore")
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=scan.is_zip)
        except MemoryError as error:
            raise ModelError(f"{path} does not fit into the free memory (RAM): close other programs") from error
        except Exception as error:  # whatever a damaged or hostile file makes torch stumble over
            raise ModelError(f"{path} cannot be read as weights ({_reason(error)}): {DAMAGED}") from error


def _reason(error: Exception) -> str:
    """Torch's own reason, without the advice around it."""
    text = str(error).partition("WeightsUnpickler error: ")[2] or str(error) or type(error).__name__
    return printable(text.strip().splitlines()[0]) if text.strip() else type(error).__name__


def _plain_table(*_: object) -> dict[object, object]:
    return {}


def _table(loaded: object, path: Path) -> tuple[Mapping[Any, Any], list[str]]:
    """The table that holds the weights, and a note of what is beside it."""
    if not isinstance(loaded, dict):
        raise ModelError(
            f"{path} holds a {type(loaded).__name__} and no table of weights: it is no checkpoint; choose another file"
        )
    _refuse_small_files(loaded, path)
    for key in TABLES:
        table = loaded.get(key)
        if isinstance(table, dict) and _has_tensors(table):
            beside = [printable(str(name)) for name in loaded if name != key]
            return table, [f"Left out, as it lies beside the weights: {named(beside)}."] if beside else []
    if not _has_tensors(loaded):
        found = named([printable(str(key)) for key in loaded])
        raise ModelError(
            f"{path} holds no weights where checkpoints have them (found: {found or 'nothing'}): choose another file"
        )
    return loaded, []


def _has_tensors(table: Mapping[Any, Any]) -> bool:
    return any(isinstance(value, Tensor) for value in table.values())


def _refuse_small_files(loaded: Mapping[Any, Any], path: Path) -> None:
    """Embeddings and hypernetworks are .pt files too, and are used as they are."""
    if "string_to_param" in loaded or "string_to_token" in loaded:
        raise ModelError(
            f"{path} is an embedding (textual inversion), a learned word, and no model: there is nothing to convert; "
            "it is used as it is, from the embeddings folder"
        )
    if any(isinstance(key, int) for key in loaded) and "name" in loaded:
        raise ModelError(
            f"{path} is a hypernetwork and no model: there is nothing to convert; it is used as it is, from the "
            "hypernetworks folder"
        )


def _drop_averages(tensors: dict[str, Tensor]) -> list[str]:
    """Take out the second copy of the U-Net that training kept as a running average."""
    averages = [name for name in tensors if name.startswith(AVERAGES)]
    if not averages or not any(name.startswith(FIRST_COPY) for name in tensors):
        return []
    for name in averages:
        del tensors[name]
    return [
        f"Left out: {counted(len(averages), 'tensor')} {AVERAGES}*, a second copy of the U-Net (a running average), "
        "which A1111 and kohya do not use either."
    ]

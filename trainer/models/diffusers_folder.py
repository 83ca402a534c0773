"""Base models as diffusers saves them: a folder with a subfolder for each network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from advisor.checkpoints.diffusers_json import read_model_json
from advisor.errors import ModelError
from advisor.files import is_file
from advisor.settings.config import QuantisedDtype
from advisor.shown_text import short
from advisor.tensor_files.other_formats import convert_command
from trainer.models.clip_text import text_root
from trainer.models.open_clip_keys import PROJECTION
from trainer.models.weight_files import fill, fill_positions, open_weights, refuse_unexpected, same_names

STEMS = ("diffusion_pytorch_model", "model")
"""What files of weights are called, before dtype and ending."""
VARIANTS = ("", ".fp32", ".fp16", ".bf16", ".non_ema")
"""Dtypes in the names of files, best first."""
OLD_VAE_NAMES = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
"""Layers of the VAE's attention in folders from before diffusers 0.14."""
LEFTOVERS = re.compile(r"(^|\.)(position_ids|logit_scale)$|^text_projection\.weight$")
_SHARD = re.compile(r"[\w][\w.-]*\.safetensors", re.ASCII)
"""No separators, drives or leading points."""
ANEW = "copy or download the model folder anew"


def read_json(path: Path) -> dict[str, Any]:
    """A table from a JSON file.

    Raises:
        ModelError: the file is missing or holds no JSON table.
    """
    found = read_model_json(path)
    if found is None:
        raise ModelError(f"{path} does not exist: {ANEW}")
    return found.table


def own_config(usual: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """A network's JSON over the usual one of its family.

    Raises:
        ModelError: it cannot be read, or a value is of another kind than the usual one.
    """
    found = read_json(path)
    for key, value in found.items():
        if key in usual and value is not None and _kinds(value) - _kinds(usual[key]):
            raise ModelError(f"{path}: {key} is {short(value)} and should be like {short(usual[key])}; {ANEW}")
    return {**usual, **found}


def _kinds(value: object) -> set[str]:
    """What a value is made of; several may stand in a list for one."""
    if isinstance(value, list):
        return {kind for one in value for kind in _kinds(one)}
    return {"number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__}


def load_network(
    network: nn.Module,
    folder: Path,
    *,
    dtype: torch.dtype,
    device: torch.device,
    quantised: QuantisedDtype | None = None,
) -> None:
    """Fill a network built on `meta` from its subfolder.

    Args:
        quantised: what its layers are kept in.

    Raises:
        ModelError: there is no .safetensors file, or a weight is missing, unexpected or of another shape.
    """
    with open_weights(weight_files(folder), folder) as weights:
        names = {key: _file_name(key, weights.names) for key in network.state_dict()}
        rest = weights.names - set(names.values())
        refuse_unexpected([name for name in rest if not LEFTOVERS.search(name)], folder)
        fill(network, same_names(names), weights, dtype=dtype, device=device, quantised=quantised)


def load_text_encoder(text_encoder: nn.Module, folder: Path, *, dtype: torch.dtype, device: torch.device) -> None:
    """The same for a text encoder, whose names begin with `text_model.` in most folders but not in the network."""
    with open_weights(weight_files(folder), folder) as weights:
        prefix = "text_model." if any(name.startswith("text_model.") for name in weights.names) else ""
        own = "text_model." if text_root(text_encoder) is not text_encoder else ""
        names = {key: key if key == PROJECTION else prefix + key.removeprefix(own) for key in text_encoder.state_dict()}
        rest = weights.names - set(names.values())
        refuse_unexpected([name for name in rest if not LEFTOVERS.search(name)], folder)
        fill(text_encoder, same_names(names), weights, dtype=dtype, device=device)
    fill_positions(text_encoder, device)


def weight_files(folder: Path) -> list[Path]:
    """The files that hold a network's weights: one, or the shards that its index names.

    Raises:
        ModelError: there is none.
    """
    for variant in VARIANTS:
        for stem in STEMS:
            whole = folder / f"{stem}{variant}.safetensors"
            if is_file(whole):
                return [whole]
            index = folder / f"{stem}.safetensors.index{variant}.json"
            if is_file(index):
                return _shards(index)
    pickles = sorted(folder.glob("*.bin"))
    hint = f"`{convert_command(pickles[0])}` makes one" if pickles else "copy the folder anew"
    raise ModelError(f"{folder} holds no .safetensors weights: {hint}")


def _shards(index: Path) -> list[Path]:
    """The files that an index names, which lie beside it."""
    found = read_json(index).get("weight_map")
    if not isinstance(found, dict) or not found:
        raise ModelError(f"{index}: weight_map is {short(found)} and should be a table of tensors and files; {ANEW}")
    names = set(found.values()) if all(isinstance(name, str) for name in found.values()) else {""}
    strange = next((name for name in sorted(names) if not _SHARD.fullmatch(name)), None)
    if strange is not None:
        raise ModelError(f"{index}: weight_map names {short(strange)}, and no .safetensors file beside it; {ANEW}")
    return [index.with_name(name) for name in sorted(names)]


def _file_name(key: str, found: frozenset[str]) -> str:
    """The file's name of a weight: the network's own, or the older one of a VAE's attention."""
    if key in found:
        return key
    for new, old in OLD_VAE_NAMES.items():
        older = key.replace(f".{new}.", f".{old}.")
        if older in found:
            return older
    return key

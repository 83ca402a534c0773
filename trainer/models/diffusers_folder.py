"""Base models as diffusers saves them: a folder with a subfolder for each network."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import torch
from torch import nn

from advisor.errors import ModelError
from advisor.settings.config import QuantisedDtype
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


def read_json(path: Path) -> dict[str, Any]:
    """A table from a JSON file.

    Raises:
        ModelError: the file is missing or holds no JSON table.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}; copy or download the model folder anew") from error
    if not isinstance(found, dict):
        raise ModelError(f"{path} holds no table: copy or download the model folder anew")
    return found


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
            if whole.is_file():
                return [whole]
            index = folder / f"{stem}.safetensors.index{variant}.json"
            if index.is_file():
                shards = read_json(index).get("weight_map", {})
                return sorted({folder / Path(str(name)).name for name in shards.values()})
    pickles = sorted(folder.glob("*.bin"))
    hint = f"`{convert_command(pickles[0])}` makes one" if pickles else "copy the folder anew"
    raise ModelError(f"{folder} holds no .safetensors weights: {hint}")


def _file_name(key: str, found: frozenset[str]) -> str:
    """The file's name of a weight: the network's own, or the older one of a VAE's attention."""
    if key in found:
        return key
    for new, old in OLD_VAE_NAMES.items():
        older = key.replace(f".{new}.", f".{old}.")
        if older in found:
            return older
    return key

"""Another VAE than the base model's own: a file in either layout, or a diffusers folder."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from advisor.errors import ModelError
from advisor.families.stable_diffusion import VaeStructure
from advisor.files import is_file, is_folder
from trainer.models.diffusers_folder import load_network
from trainer.models.single_file import LEFTOVERS, vae_names
from trainer.models.weight_files import fill, open_weights, refuse_unexpected, same_names

PREFIXES = ("first_stage_model.", "vae.", "")
"""What the names begin with in files that hold a VAE."""


def load_vae(vae: nn.Module, path: Path, structure: VaeStructure, *, dtype: torch.dtype, device: torch.device) -> None:
    """Fill a VAE built on `meta`; it must have the measures of the base model's own.

    Raises:
        ModelError: there is no VAE at `path`, or it does not fit.
    """
    if is_folder(path):
        load_network(vae, path / "vae" if is_folder(path / "vae") else path, dtype=dtype, device=device)
        return
    if not is_file(path):
        raise ModelError(f"model.vae_path names {path}, where there is nothing: mend the path or leave it out")
    with open_weights([path], path) as weights:
        prefix = next((p for p in PREFIXES if f"{p}decoder.conv_in.weight" in weights.names), None)
        if prefix is None:
            raise ModelError(f"model.vae_path names {path}, which holds no VAE: choose another file or leave it out")
        is_diffusers = any(name.startswith(f"{prefix}decoder.up_blocks.") for name in weights.names)
        own = same_names({key: prefix + key for key in vae.state_dict()})
        sources = own if is_diffusers else vae_names(vae, structure, prefix)
        rest = [
            name
            for name in weights.names - {source.name for source in sources.values()}
            if name.startswith((f"{prefix}encoder.", f"{prefix}decoder."))
        ]
        refuse_unexpected([name for name in rest if not LEFTOVERS.search(name)], path)
        fill(vae, sources, weights, dtype=dtype, device=device)

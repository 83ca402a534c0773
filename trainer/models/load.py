"""The base model, loaded from a checkpoint file or a diffusers folder without a network."""

from __future__ import annotations

from pathlib import Path

import torch

from advisor.checkpoints.identify import identify
from advisor.errors import ModelError
from advisor.settings.config import ModelConfig, QuantisedDtype
from trainer.models.families import TRAINER_FAMILIES
from trainer.models.families.family import BaseModel


def load_base_model(
    model: ModelConfig,
    *,
    dtype: torch.dtype,
    vae_dtype: torch.dtype,
    device: torch.device,
    quantised: QuantisedDtype | None = None,
) -> BaseModel:
    """The model that `model` names, its weights in `dtype` on `device`, frozen.

    Some families leave the denoiser's for later: `BaseModel.whole` reads them.

    Args:
        quantised: what the denoiser's layers are kept in instead, computing in `dtype`.

    Raises:
        ModelError: the file cannot be read, is of a family that is not trained here, or a weight is missing or
            unexpected.
    """
    if model.family not in TRAINER_FAMILIES:
        known = ", ".join(TRAINER_FAMILIES)
        raise ModelError(f"model.family is {model.family!r}, which cannot be trained here: known are {known}")
    identity = identify(Path(model.path))
    if identity.kind == "checkpoint" and not identity.trainable:
        raise ModelError(f"{model.path} cannot be trained on: {identity.why_not}")
    if identity.kind != "checkpoint" or identity.structure is None:
        raise ModelError(f"{model.path} is no base model but: {identity.kind}; choose a checkpoint or diffusers folder")
    if identity.family != model.family:
        raise ModelError(f"{model.path} is of the family {identity.family}, not {model.family}: mend model.family")
    if "vae" not in identity.parts and model.vae_path is None:
        mend = "set model.vae_path to a VAE's file or folder, or choose a base model that has one"
        raise ModelError(f"{model.path} has no VAE, which pictures are encoded with: {mend}")
    return TRAINER_FAMILIES[model.family].load(
        model, identity, dtype=dtype, vae_dtype=vae_dtype, device=device, quantised=quantised
    )

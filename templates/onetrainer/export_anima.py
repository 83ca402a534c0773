"""What OneTrainer takes for Anima beside, or in place of, what it takes for Stable Diffusion.

Observed on OneTrainer of August 2026: `AnimaModelLoader`, `BaseAnimaSetup`, `AnimaBaseDataLoader`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from advisor.errors import ConfigError
from advisor.settings.config import NUM_TRAIN_TIMESTEPS, TrainingConfig
from templates.exporting.anima import anima_drops, is_anima, not_in_base_model
from templates.exporting.published_layout import layout_errors
from templates.exporting.separate_parts import is_file_name
from templates.onetrainer.words import ANIMA_FOLDER, KOHYA_NAMES, ORIGINAL_NAMES

ARRIVE = frozenset({"memory.text_variants", "saving.layer_names", "dataset.max_tokens", "memory.cache_text"})
"""Settings that have a place for Anima and none for Stable Diffusion, or mean the same without one."""
DROPS: Mapping[str, str] = {
    "model.text_encoder_path": "OneTrainer takes Anima's text encoder from a diffusers folder of the whole model",
    "model.vae_path": "OneTrainer takes Anima's VAE from a diffusers folder",
    "dataset.bucket_step_px": "OneTrainer takes steps of 64 for Anima",
    "dataset.caption_dropout": "OneTrainer leaves out no captions of this family",
}
"""Settings without a place for Anima, and what that means."""


def noted_drops(config: TrainingConfig, drops: Mapping[str, str]) -> Mapping[str, str]:
    """Those of them that a note is to tell: what lies in the base model's own folder is found there."""
    if not is_anima(config):
        return drops
    found = dict(anima_drops(drops, ARRIVE, DROPS))
    if not is_file_name(config.model.vae_path or ""):
        del found["model.vae_path"]
    return not_in_base_model(config, found)


def anima_files(config: TrainingConfig, model: str) -> dict[str, Any]:
    """Where the base model is: a diffusers folder, or the denoiser's file beside the published folder."""
    usual = config.saving.layer_names == "usual"
    return {
        "base_model_name": ANIMA_FOLDER if is_file_name(model) else model,
        "output_model_format": ORIGINAL_NAMES if usual else KOHYA_NAMES,
    }


def denoiser_file(model: str) -> dict[str, str]:
    """The key of the denoiser's file in its part, where it is one."""
    return {"model_name": model} if is_file_name(model) else {}


def anima_errors(config: TrainingConfig, model: str) -> Iterator[ConfigError]:
    """What OneTrainer cannot do with this Anima."""
    if is_anima(config) and is_file_name(model):
        yield from layout_errors(model, "OneTrainer")


def anima_notes(config: TrainingConfig, model: str) -> Iterator[str]:
    """What is otherwise in OneTrainer with Anima."""
    if not is_anima(config):
        return
    if is_file_name(model):
        yield (
            f"model.path: OneTrainer takes the denoiser alone from that file; text encoder, text adapter and VAE are "
            f"those of {ANIMA_FOLDER}, which it fetches. A base model with a text adapter of its own is trained "
            "otherwise than here."
        )
    if config.saving.layer_names == "usual" and config.network.kind in ("lora", "dora"):
        yield (
            "saving.layer_names: OneTrainer writes our names with an alpha beside them, which ComfyUI and Forge read; "
            "diffusers refuses it: `loracle convert` makes ours of them."
        )
    loss = config.loss
    whole = (loss.min_timestep, loss.max_timestep) == (0, NUM_TRAIN_TIMESTEPS)
    if loss.timestep_shift != 1 and not whole:
        yield "loss.timestep_shift: OneTrainer shifts among all times; here the shift stays within the range."
    if loss.input_perturbation:
        yield "loss.input_perturbation: OneTrainer's target has the extra noise too, so that it is noise like the rest."

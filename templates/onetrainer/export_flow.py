"""What OneTrainer takes for flow matching bases beside, or in place of, what it takes for Stable Diffusion.

Observed on OneTrainer of August 2026: `AnimaModelLoader`, `BaseAnimaSetup`, `AnimaBaseDataLoader`, and the same of
Z-Image.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from advisor.errors import ConfigError
from advisor.families import family
from advisor.settings.config import NUM_TRAIN_TIMESTEPS, TrainingConfig
from templates.exporting.flow import family_drops, not_in_base_model
from templates.exporting.published_layout import layout_errors
from templates.exporting.separate_parts import is_file_name
from templates.onetrainer.flow_bases import FLOW_BASES, FlowBase
from templates.onetrainer.words import KOHYA_NAMES, ORIGINAL_NAMES

ARRIVE = frozenset({"memory.text_variants", "saving.layer_names", "dataset.max_tokens", "memory.cache_text"})
"""Settings that have a place for these families and none for Stable Diffusion, or mean the same without one."""
DROPS: Mapping[str, str] = {
    "model.text_encoder_path": "OneTrainer takes this family's text encoder from a diffusers folder of the whole model",
    "model.vae_path": "OneTrainer takes this family's VAE from a diffusers folder",
    "dataset.bucket_step_px": "OneTrainer takes steps of 64 for this family",
    "dataset.caption_dropout": "OneTrainer leaves out no captions of this family",
}
"""Settings without a place for these families, and what that means."""


def flow_base(config: TrainingConfig) -> FlowBase | None:
    """What OneTrainer has for the base model's family; None: it is not one of flow matching."""
    return FLOW_BASES.get(config.model.family)


def drops_of_flow(drops: Mapping[str, str]) -> Mapping[str, str]:
    """The settings without a place for these families, of those for Stable Diffusion."""
    return family_drops(drops, ARRIVE, DROPS)


def noted_drops(config: TrainingConfig, drops: Mapping[str, str]) -> Mapping[str, str]:
    """Those of them that a note is to tell: what lies in the base model's own folder is found there."""
    if flow_base(config) is None:
        return drops
    found = dict(drops_of_flow(drops))
    if not is_file_name(config.model.vae_path or ""):
        del found["model.vae_path"]
    return not_in_base_model(config, found)


def flow_files(config: TrainingConfig, base: FlowBase, model: str) -> dict[str, Any]:
    """Where the base model is: a diffusers folder, or the denoiser's file beside the published folder."""
    usual = config.saving.layer_names == "usual"
    return {
        "base_model_name": base.folder if is_file_name(model) else model,
        "output_model_format": ORIGINAL_NAMES if usual else KOHYA_NAMES,
    }


def denoiser_file(model: str) -> dict[str, str]:
    """The key of the denoiser's file in its part, where it is one."""
    return {"model_name": model} if is_file_name(model) else {}


def flow_errors(config: TrainingConfig, model: str) -> Iterator[ConfigError]:
    """What OneTrainer cannot do with this base model."""
    if (base := flow_base(config)) is not None and is_file_name(model):
        yield from layout_errors(config.model.family, model, "OneTrainer", base.prefixes)


def flow_notes(config: TrainingConfig, model: str) -> Iterator[str]:
    """What is otherwise in OneTrainer with such a base model."""
    base = flow_base(config)
    if base is None:
        return
    if is_file_name(model):
        has_adapter = family(config.model.family).text_adapter_targets is not None
        own = " A base model with a text adapter of its own is trained otherwise than here." if has_adapter else ""
        yield (
            f"model.path: OneTrainer takes the denoiser alone from that file; {base.parts} are those of {base.folder}, "
            f"which it fetches.{own}"
        )
    if (
        config.saving.layer_names == "usual"
        and config.network.kind in ("lora", "dora")
        and not base.diffusers_reads_alpha
    ):
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

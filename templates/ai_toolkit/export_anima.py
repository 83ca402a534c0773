"""What ai-toolkit takes for Anima beside, or in place of, what it takes for Stable Diffusion.

Observed on ai-toolkit of August 2026: its `AnimaModel`, `LoRASpecialNetwork` and flow matching sampler.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from advisor.errors import ConfigError
from advisor.rules.fitting import tags_vary
from advisor.settings.config import NUM_TRAIN_TIMESTEPS, LossConfig, TrainingConfig
from templates.ai_toolkit.words import (
    ANIMA_LAYERS,
    ANIMA_TEXT_LAYERS,
    EVENLY,
    FIXED_SHIFT,
    FLOW_MATCHING,
    INT8,
    SHIFTED,
    SIGMOID,
)
from templates.exporting.anima import anima_drops, is_anima, not_in_base_model
from templates.exporting.separate_parts import is_file_name

Tree = dict[str, Any]

STEP_PX = 32
"""Sides of Anima's sizes are multiples of this there."""
ARRIVE = frozenset({
    "loss.timestep_sampling", "loss.timestep_shift", "loss.timestep_weighting", "network.text_adapter",
    "dataset.max_tokens", "saving.layer_names",
})  # fmt: skip
"""Settings that have a place for Anima and none for Stable Diffusion, or mean the same without one."""
DROPS: Mapping[str, str] = {
    "model.text_encoder_path": "ai-toolkit takes Anima's text encoder from the base model's folder",
    "model.vae_path": "ai-toolkit takes Anima's VAE from the base model's folder",
    "loss.timestep_mean": "ai-toolkit draws them around the middle",
    "loss.timestep_scale": "ai-toolkit draws them with a deviation of 1",
}
"""Settings without a place for Anima, and what that means."""


def noted_drops(config: TrainingConfig, drops: Mapping[str, str]) -> Mapping[str, str]:
    """Those of them that a note is to tell: what lies in the base model's own folder is found there."""
    if not is_anima(config):
        return drops
    found = dict(anima_drops(drops, ARRIVE, DROPS))
    return not_in_base_model(config, found)


def anima_network(config: TrainingConfig) -> Tree:
    """Which layers get an adapter. Alpha is the rank whatever is written, so the rank is."""
    names = (*ANIMA_LAYERS, *(ANIMA_TEXT_LAYERS if config.network.text_adapter else ()))
    return {"linear_alpha": config.network.rank, "network_kwargs": {"only_if_contains": list(names)}}


def anima_model(config: TrainingConfig) -> Tree:
    """What the base model is kept in, and whether the text adapter is trained."""
    found: Tree = {}
    if config.memory.base_dtype == "int8":
        found |= {"quantize": True, "qtype": INT8, "quantize_te": False}
    if config.network.text_adapter:
        found["model_kwargs"] = {"train_text_conditioner": True}
    return found


def anima_times(loss: LossConfig) -> Tree:
    """How timesteps are drawn; the bell is that of `linear_timesteps`."""
    if loss.timestep_weighting == "bell" and loss.timestep_sampling == "uniform":
        return {"noise_scheduler": FLOW_MATCHING, "timestep_type": EVENLY, "linear_timesteps": True}
    evenly = SHIFTED if loss.timestep_shift == FIXED_SHIFT else EVENLY
    drawn = evenly if loss.timestep_sampling == "uniform" else SIGMOID
    return {"noise_scheduler": FLOW_MATCHING, "timestep_type": drawn}


def caches_text(config: TrainingConfig) -> bool:
    """Whether captions are encoded once there: with a cache tags neither shuffle nor drop."""
    return config.memory.cache_text and not (is_anima(config) and tags_vary(config))


def anima_errors(config: TrainingConfig, model: str) -> Iterator[ConfigError]:
    """What ai-toolkit cannot do with Anima."""
    if is_anima(config) and is_file_name(model):
        mend = "ai-toolkit reads Anima from a diffusers folder alone: plan with such a folder"
        yield ConfigError("model.path", model, mend)


def anima_notes(config: TrainingConfig) -> Iterator[str]:
    """What is otherwise in ai-toolkit with Anima."""
    if not is_anima(config):
        return
    network, loss = config.network, config.loss
    if network.alpha != network.rank:
        yield (
            f"network.alpha ({network.alpha:g}): ai-toolkit trains Anima's adapters at full strength, as if alpha were "
            f"the rank, {network.rank}."
        )
    if loss.timestep_sampling == "uniform" and loss.timestep_shift not in (1, FIXED_SHIFT):
        yield f"loss.timestep_shift ({loss.timestep_shift}): ai-toolkit shifts evenly drawn ones by 3 or not."
    if loss.timestep_sampling == "logit_normal" and loss.timestep_shift != 1:
        yield f"loss.timestep_shift ({loss.timestep_shift}): ai-toolkit does not shift logit-normal timesteps."
    if loss.timestep_weighting == "bell" and (loss.timestep_sampling != "uniform" or loss.timestep_shift != 1):
        yield "loss.timestep_weighting: ai-toolkit's bell goes with evenly drawn timesteps that are not shifted."
    if (loss.min_timestep, loss.max_timestep) != (0, NUM_TRAIN_TIMESTEPS) and loss.timestep_sampling != "uniform":
        yield "loss.min_timestep, loss.max_timestep: ai-toolkit cuts off shares of what it draws, not times."
    if config.saving.layer_names == "kohya":
        yield "saving.layer_names: ai-toolkit writes the model's own names; `loracle convert` makes kohya's of them."
    yield "ai-toolkit draws latents from the VAE's distribution once, and keeps them; ours are its mean."

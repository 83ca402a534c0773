"""What ai-toolkit takes for flow matching bases beside, or in place of, what it takes for Stable Diffusion.

Observed on ai-toolkit of August 2026: its `AnimaModel`, `ZImageModel`, `LoRASpecialNetwork` and flow matching sampler.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from advisor.errors import ConfigError
from advisor.families import family
from advisor.rules.fitting import tags_vary
from advisor.settings.config import NUM_TRAIN_TIMESTEPS, LossConfig, TrainingConfig
from templates.ai_toolkit.flow_bases import FLOW_BASES, FlowBase
from templates.ai_toolkit.words import EVENLY, FIXED_SHIFT, FLOW_MATCHING, INT8, SHIFTED, SIGMOID
from templates.exporting.flow import family_drops, not_in_base_model
from templates.exporting.published_layout import layout_errors
from templates.exporting.separate_parts import is_file_name

Tree = dict[str, Any]

ARRIVE = frozenset({
    "loss.timestep_sampling", "loss.timestep_shift", "loss.timestep_weighting", "dataset.max_tokens",
    "saving.layer_names",
})  # fmt: skip
"""Settings that have a place for these families and none for Stable Diffusion, or mean the same without one."""
DROPS: Mapping[str, str] = {
    "model.text_encoder_path": "ai-toolkit takes this family's text encoder from a diffusers folder",
    "model.vae_path": "ai-toolkit takes this family's VAE from a diffusers folder",
    "loss.timestep_mean": "ai-toolkit draws them around the middle",
    "loss.timestep_scale": "ai-toolkit draws them with a deviation of 1",
}
"""Settings without a place for these families, and what that means."""


def drops_of(name: str, drops: Mapping[str, str]) -> Mapping[str, str]:
    """The settings without a place for one of these families, of those for Stable Diffusion."""
    adapts_text = {"network.text_adapter"} if FLOW_BASES[name].text_layers else set[str]()
    return family_drops(drops, ARRIVE | adapts_text, DROPS)


def flow_base(config: TrainingConfig) -> FlowBase | None:
    """What ai-toolkit has for the base model's family; None: it is not one of flow matching."""
    return FLOW_BASES.get(config.model.family)


def noted_drops(config: TrainingConfig, drops: Mapping[str, str]) -> Mapping[str, str]:
    """Those of them that a note is to tell: what lies in the base model's own folder is found there."""
    if flow_base(config) is None:
        return drops
    return not_in_base_model(config, drops_of(config.model.family, drops))


def flow_network(config: TrainingConfig, base: FlowBase) -> Tree:
    """Which layers get an adapter. Alpha is the rank whatever is written, so the rank is."""
    names = (*base.layers, *(base.text_layers if config.network.text_adapter else ()))
    return {"linear_alpha": config.network.rank, "network_kwargs": {"only_if_contains": list(names)}}


def flow_model(config: TrainingConfig, base: FlowBase) -> Tree:
    """What the base model is kept in, and whether the text adapter is trained."""
    found: Tree = {}
    if config.memory.base_dtype == "int8":
        packs_text = family(config.model.family).quantised_text is not None
        found |= {"quantize": True, "qtype": INT8, "quantize_te": packs_text}
        found |= {"qtype_te": INT8} if packs_text else {}
    if config.network.text_adapter and base.text_layers:
        found["model_kwargs"] = {"train_text_conditioner": True}
    return found


def flow_times(loss: LossConfig) -> Tree:
    """How timesteps are drawn; the bell is that of `linear_timesteps`."""
    if loss.timestep_weighting == "bell" and loss.timestep_sampling == "uniform":
        return {"noise_scheduler": FLOW_MATCHING, "timestep_type": EVENLY, "linear_timesteps": True}
    evenly = SHIFTED if loss.timestep_shift == FIXED_SHIFT else EVENLY
    drawn = evenly if loss.timestep_sampling == "uniform" else SIGMOID
    return {"noise_scheduler": FLOW_MATCHING, "timestep_type": drawn}


def caches_text(config: TrainingConfig) -> bool:
    """Whether captions are encoded once there: with a cache tags neither shuffle nor drop."""
    return config.memory.cache_text and not (flow_base(config) is not None and tags_vary(config))


def flow_errors(config: TrainingConfig, model: str) -> Iterator[ConfigError]:
    """What ai-toolkit cannot do with such a base model."""
    base = flow_base(config)
    if base is None or not is_file_name(model):
        return
    if base.prefixes:
        yield from layout_errors(config.model.family, model, "ai-toolkit", base.prefixes)
    else:
        title = family(config.model.family).title
        mend = f"ai-toolkit reads {title} from a diffusers folder alone: plan with such a folder"
        yield ConfigError("model.path", model, mend)


def flow_notes(config: TrainingConfig, model: str) -> Iterator[str]:
    """What is otherwise in ai-toolkit with such a base model."""
    base = flow_base(config)
    if base is None:
        return
    network, loss, title = config.network, config.loss, family(config.model.family).title
    if is_file_name(model):
        yield (
            f"model.path: ai-toolkit takes the denoiser alone from that file; text encoder and VAE are those of "
            f"{base.other_parts}, which it fetches."
        )
    if network.alpha != network.rank:
        yield (
            f"network.alpha ({network.alpha:g}): ai-toolkit trains {title}'s adapters at full strength, as if alpha "
            f"were the rank, {network.rank}."
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

"""diffusers' samplers by our names, set so that they walk the timesteps that user interfaces walk.

Where a base was trained with v-prediction or on a schedule that ends in pure noise, all begin at the last timestep
("trailing": Lin et al. 2024, section 3.3, arxiv.org/abs/2305.08891); from anywhere else it cannot draw dark or light
pictures. Other bases are drawn as A1111 does it (docs/decisions/0011-pictures-of-a-training.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    UniPCMultistepScheduler,
)

from advisor.settings.config import NUM_TRAIN_TIMESTEPS, SamplerName, TrainingConfig
from trainer.diffusion.noise import BETA_END, BETA_START


@dataclass(frozen=True)
class Sampler:
    """A scheduler class of diffusers with its arguments."""

    scheduler: Any
    always: Mapping[str, Any] = field(default_factory=dict)
    """Whatever the base."""
    as_interfaces: Mapping[str, Any] = field(default_factory=dict)
    """Where the base wants no trailing timesteps."""
    draws_noise: bool = False
    """Each step takes a random generator."""
    from_last_to_first: bool = False
    """As interfaces have it, the timesteps go from the last to the first, both included; given by name alone diffusers
    would leave the first out."""


SAMPLERS: Mapping[SamplerName, Sampler] = {
    "ddim": Sampler(
        DDIMScheduler,
        {"clip_sample": False},
        {"timestep_spacing": "leading", "steps_offset": 1, "set_alpha_to_one": False},
        draws_noise=True,
    ),
    "euler": Sampler(EulerDiscreteScheduler, {}, {"timestep_spacing": "linspace"}),
    "euler_a": Sampler(EulerAncestralDiscreteScheduler, {}, {"timestep_spacing": "linspace"}, draws_noise=True),
    "unipc": Sampler(
        UniPCMultistepScheduler,
        {},
        {"timestep_spacing": "linspace", "solver_order": 3, "solver_type": "bh1", "final_sigmas_type": "sigma_min"},
    ),
    "dpmpp_2m": Sampler(DPMSolverMultistepScheduler, {}, from_last_to_first=True),
    "dpmpp_2m_karras": Sampler(DPMSolverMultistepScheduler, {"use_karras_sigmas": True}),
}
"""diffusers' schedulers by the settings' names."""


def starts_at_the_last_timestep(config: TrainingConfig) -> bool:
    """Whether the base wants trailing timesteps: it predicts v, or its schedule ends in pure noise."""
    return config.model.prediction == "v_prediction" or config.loss.zero_terminal_snr


def make_sampler(name: SamplerName, config: TrainingConfig, steps: int) -> Any:
    """The diffusers scheduler of that name for what the base model predicts, its timesteps set."""
    sampler, trailing = SAMPLERS[name], starts_at_the_last_timestep(config)
    settings: dict[str, Any] = {
        "num_train_timesteps": NUM_TRAIN_TIMESTEPS,
        "beta_start": BETA_START,
        "beta_end": BETA_END,
        "beta_schedule": "scaled_linear",
        "prediction_type": config.model.prediction,
        "rescale_betas_zero_snr": config.loss.zero_terminal_snr,
        **sampler.always,
        **({"timestep_spacing": "trailing"} if trailing else sampler.as_interfaces),
    }
    scheduler = sampler.scheduler(**settings)
    if sampler.from_last_to_first and not trailing:
        times = np.linspace(NUM_TRAIN_TIMESTEPS - 1, 0, steps).round().astype(int)
        scheduler.set_timesteps(timesteps=times.tolist())
    else:
        scheduler.set_timesteps(steps)
    return scheduler


def step_arguments(name: SamplerName, rngs: Any) -> dict[str, Any]:
    """What each step takes beside prediction, timestep and latents.

    Args:
        rngs: a random generator, or one for each image.
    """
    return {"generator": rngs} if SAMPLERS[name].draws_noise else {}

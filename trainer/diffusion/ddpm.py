"""Denoising diffusion with 1,000 timesteps: the process of Stable Diffusion's U-Nets (epsilon, v-prediction).

DDPM, Ho et al. 2020: arxiv.org/abs/2006.11239. Letters: B images in a batch, C channels, H and W latent height and
width. Levels are alpha-bar at the timesteps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from advisor.settings.config import NUM_TRAIN_TIMESTEPS, SamplerName, TrainingConfig
from trainer.diffusion.noise import NoiseSchedule, add_noise, draw_noise, noise_schedule
from trainer.diffusion.objective import huber_c, snr_weight, target
from trainer.diffusion.process import NoiseDraw
from trainer.diffusion.samplers import make_sampler, step_arguments
from trainer.diffusion.times import bell_weights


@dataclass(frozen=True)
class Ddpm:
    """The process of a model that predicts noise or v."""

    config: TrainingConfig

    def draw(self, latents: Tensor, generator: torch.Generator) -> NoiseDraw:
        """Noise and timesteps for latents [B, C, H, W]."""
        return draw_noise(latents, self.config.loss, self._schedule, generator)

    def at(self, timestep: int) -> tuple[Tensor, Tensor]:
        """The timestep and its alpha-bar, each [1]."""
        times = torch.tensor([timestep])
        return times, self._schedule.alphas_cumprod[times]

    def draw_at(self, latents: Tensor, timestep: int, generator: torch.Generator) -> NoiseDraw:
        """Noise for latents [B, C, H, W] at one timestep."""
        there = {"min_timestep": timestep, "max_timestep": timestep + 1, "input_perturbation": 0.0}
        return draw_noise(latents, self.config.loss.model_copy(update=there), self._schedule, generator)

    def noisy(self, latents: Tensor, noise: Tensor, levels: Tensor) -> Tensor:
        """Noisy latents [B, C, H, W] at alpha-bar [B]: eq. 4."""
        return add_noise(latents, noise, levels)

    def target(self, latents: Tensor, noise: Tensor, levels: Tensor) -> Tensor:
        """The noise or v, [B, C, H, W]."""
        return target(self.config.model.prediction, latents, noise, levels)

    def huber_c(self, times: Tensor, levels: Tensor) -> Tensor:
        """The pseudo-Huber loss's c, [B]."""
        return huber_c(self.config.loss, times, levels)

    def weights(self, times: Tensor, levels: Tensor) -> Tensor:
        """The weights [B] by the signal-to-noise ratio, and by the timestep where the loss has a bell."""
        by_snr = snr_weight(self.config.loss, self.config.model.prediction, levels)
        if self.config.loss.timestep_weighting == "none":
            return by_snr
        return by_snr * bell_weights(self.config.loss, times.to(levels.dtype) / NUM_TRAIN_TIMESTEPS)

    def solver(
        self,
        name: SamplerName,
        steps: int,
        rngs: Sequence[torch.Generator],
        latents: Tensor,  # noqa: ARG002
    ) -> DiffusersSolver:
        """Diffusers' sampler of that name."""
        return DiffusersSolver(make_sampler(name, self.config, steps), step_arguments(name, rngs))

    @cached_property
    def _schedule(self) -> NoiseSchedule:
        return noise_schedule(zero_terminal_snr=self.config.loss.zero_terminal_snr)


@dataclass(frozen=True)
class DiffusersSolver:
    """A scheduler of diffusers, its timesteps set."""

    scheduler: Any
    arguments: dict[str, Any]
    """What each step takes beside prediction, timestep and latents."""

    @property
    def first_scale(self) -> float:
        """What noise of variance 1 is multiplied by first."""
        return float(self.scheduler.init_noise_sigma)

    @property
    def times(self) -> Sequence[Tensor]:
        """The scheduler's timesteps."""
        return self.scheduler.timesteps  # type: ignore[no-any-return]

    def model_time(self, time: Tensor) -> Tensor:
        """The nearest whole timestep."""
        return time.round().to(torch.int64)

    def model_input(self, latents: Tensor, time: Tensor) -> Tensor:
        """The latents as the scheduler scales them."""
        return self.scheduler.scale_model_input(latents, time)  # type: ignore[no-any-return]

    def step(self, predicted: Tensor, time: Tensor, latents: Tensor) -> Tensor:
        """The latents after the scheduler's step."""
        return self.scheduler.step(predicted, time, latents, **self.arguments).prev_sample  # type: ignore[no-any-return]

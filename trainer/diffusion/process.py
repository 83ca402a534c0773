"""A diffusion process as the step, validation and drawing see it; none of them knows which one it is.

Letters: B images in a batch; latents [B, C, ...] have any number of axes after their channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from advisor.settings.config import SamplerName


@dataclass(frozen=True)
class NoiseDraw:
    """All that is drawn for one batch, on the CPU."""

    noise: Tensor
    """[B, C, ...]"""
    times: Tensor
    """[B]: what the denoiser is told; int64 timesteps in 0..999 (DDPM) or float32 in 0..1 (flow matching)."""
    levels: Tensor
    """[B] in float32: how noisy it is then; alpha-bar (DDPM) or the time itself (flow matching)."""
    input_noise: Tensor | None = None
    """[B, C, ...]: further noise for the input only."""


class Solver(Protocol):
    """Walks from noise to a picture's latents, which are float32 on the CPU."""

    @property
    def first_scale(self) -> float:
        """What noise of variance 1 is multiplied by first."""

    @property
    def times(self) -> Sequence[Tensor]:
        """The steps' times, scalars in the solver's own measure."""

    def model_time(self, time: Tensor) -> Tensor:
        """What the denoiser is told at that step, a scalar."""

    def model_input(self, latents: Tensor, time: Tensor) -> Tensor:
        """What the denoiser is given at that step."""

    def step(self, predicted: Tensor, time: Tensor, latents: Tensor) -> Tensor:
        """The latents after that step."""


class Process(Protocol):
    """How latents become noise, what the denoiser learns of it, and the way back."""

    def draw(self, latents: Tensor, generator: torch.Generator) -> NoiseDraw:
        """Noise and times for latents [B, C, ...], on any device and of any float dtype.

        Args:
            generator: on the CPU.
        """

    def at(self, timestep: int) -> tuple[Tensor, Tensor]:
        """Time and level, each [1], of one timestep in 0..999 of 1,000."""

    def draw_at(self, latents: Tensor, timestep: int, generator: torch.Generator) -> NoiseDraw:
        """Noise for latents [B, C, ...] at one timestep, without further noise for the input."""

    def noisy(self, latents: Tensor, noise: Tensor, levels: Tensor) -> Tensor:
        """Noisy latents [B, C, ...] of latents and noise at levels [B]."""

    def target(self, latents: Tensor, noise: Tensor, levels: Tensor) -> Tensor:
        """What the denoiser learns to predict, [B, C, ...].

        Raises:
            ConfigError: this process has no such prediction.
        """

    def huber_c(self, times: Tensor, levels: Tensor) -> Tensor:
        """Where the pseudo-Huber loss turns from quadratic to linear, [B]."""

    def weights(self, times: Tensor, levels: Tensor) -> Tensor:
        """The weight of each image's loss, [B]."""

    def solver(self, name: SamplerName, steps: int, rngs: Sequence[torch.Generator], latents: Tensor) -> Solver:
        """The walk by the sampler of that name.

        Args:
            rngs: one for each image, on the CPU.
            latents: of the pictures' size; only their shape is looked at.
        """

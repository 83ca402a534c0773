"""Flow matching with straight paths: the denoiser predicts the velocity from picture to noise.

Lipman et al. 2023: arxiv.org/abs/2210.02747; Liu et al. 2023: arxiv.org/abs/2209.03003. The time runs from 0, the
picture, to 1, pure noise, as in Esser et al. 2024: arxiv.org/abs/2403.03206.

Letters: B images in a batch; latents [B, C, ...] have any number of axes after their channels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from advisor.errors import ConfigError
from advisor.settings.config import NUM_TRAIN_TIMESTEPS, LossConfig, SamplerName
from trainer.diffusion.process import NoiseDraw
from trainer.diffusion.times import bell_weights, draw_shares, shift_of

LATENTS_PER_TOKEN = 4
"""An image token is 16 x 16 pixels of the picture, which are 2 x 2 latents of a VAE that shrinks each side to 1/8."""


@dataclass(frozen=True)
class Flow:
    """The process of a flow matching model."""

    loss: LossConfig
    sampling_shift: float = 1.0
    """The shift of the way back, which is the base model's own."""

    def draw(self, latents: Tensor, generator: torch.Generator) -> NoiseDraw:
        """Noise and times in 0..1 for latents [B, C, ...]."""
        shape, loss = latents.shape, self.loss
        noise = torch.randn(shape, generator=generator)
        shares = draw_shares(loss, shape[0], self._shift(latents), generator)
        least, most = loss.min_timestep / NUM_TRAIN_TIMESTEPS, loss.max_timestep / NUM_TRAIN_TIMESTEPS
        times = least + (most - least) * shares
        input_noise = None
        if loss.input_perturbation > 0:
            input_noise = loss.input_perturbation * torch.randn(shape, generator=generator)
        return NoiseDraw(noise, times, times, input_noise)

    def at(self, timestep: int) -> tuple[Tensor, Tensor]:
        """The time of one timestep of 1,000, twice, each [1]."""
        times = torch.tensor([timestep / NUM_TRAIN_TIMESTEPS])
        return times, times

    def draw_at(self, latents: Tensor, timestep: int, generator: torch.Generator) -> NoiseDraw:
        """Noise for latents [B, C, ...] at the time of one timestep of 1,000."""
        times = self.at(timestep)[0].expand(latents.shape[0])
        return NoiseDraw(torch.randn(latents.shape, generator=generator), times, times)

    def noisy(self, latents: Tensor, noise: Tensor, levels: Tensor) -> Tensor:
        """Latents [B, C, ...] on the straight line to the noise, at times [B]."""
        times = _over(levels, latents)
        return (1 - times) * latents + times * noise

    def target(self, latents: Tensor, noise: Tensor, levels: Tensor) -> Tensor:  # noqa: ARG002
        """The velocity [B, C, ...], the same all along the line."""
        return noise - latents

    def huber_c(self, times: Tensor, levels: Tensor) -> Tensor:
        """The pseudo-Huber loss's c [B]; noise over signal is t / (1 - t)."""
        c = self.loss.huber_c
        if self.loss.huber_schedule == "constant":
            return torch.full_like(levels, c)
        if self.loss.huber_schedule == "exponential":
            return torch.exp(times * math.log(c))
        return (1 - c) * (1 - levels).square() + c

    def weights(self, times: Tensor, levels: Tensor) -> Tensor:  # noqa: ARG002
        """The bell's weights [B] where the loss has one, else 1: a velocity's loss needs none by the noise."""
        is_even = self.loss.timestep_weighting == "none"
        return levels.new_ones(levels.shape) if is_even else bell_weights(self.loss, levels)

    def solver(
        self,
        name: SamplerName,
        steps: int,
        rngs: Sequence[torch.Generator],  # noqa: ARG002
        latents: Tensor,  # noqa: ARG002
    ) -> FlowEuler:
        """Euler's steps from noise to picture at shifted times.

        Raises:
            ConfigError: another sampler is wanted.
        """
        if name != "euler":
            raise ConfigError("sampling.sampler", name, "flow matching models are drawn with euler")
        return FlowEuler.of(steps, self.sampling_shift)

    def _shift(self, latents: Tensor) -> float:
        return shift_of(self.loss, math.prod(latents.shape[2:]) // LATENTS_PER_TOKEN)


@dataclass(frozen=True)
class FlowEuler:
    """Euler's method on the velocity."""

    times: tuple[Tensor, ...]
    """Scalars, from 1 down."""
    first_scale: float = 1.0

    @classmethod
    def of(cls, steps: int, shift: float) -> FlowEuler:
        """So many steps, evenly spaced before a shift moves them."""
        even = [1 - number / steps for number in range(steps)]
        return cls(tuple(torch.tensor(shift * time / (1 + (shift - 1) * time)) for time in even))

    def model_time(self, time: Tensor) -> Tensor:
        """The time itself."""
        return time

    def model_input(self, latents: Tensor, time: Tensor) -> Tensor:  # noqa: ARG002
        """The latents as they are."""
        return latents

    def step(self, predicted: Tensor, time: Tensor, latents: Tensor) -> Tensor:
        """The latents at the next time, the last of which is 0."""
        later = [float(one) for one in self.times if one < time]
        return latents + ((later[0] if later else 0.0) - float(time)) * predicted


def _over(levels: Tensor, latents: Tensor) -> Tensor:
    """Levels [B] with an axis for each of the latents'."""
    return levels.view(-1, *[1] * (latents.ndim - 1))

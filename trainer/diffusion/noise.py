"""The noise that training adds to latents. All randomness comes from a generator on the CPU, in float32, so that the
same seed gives the same training whatever the device, the dtype and the caches.

Letters: B images in a batch, C channels, H and W latent height and width, N timesteps of the schedule.
Formulas: DDPM, Ho et al. 2020: arxiv.org/abs/2006.11239.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from advisor.settings.config import NUM_TRAIN_TIMESTEPS, LossConfig
from trainer.diffusion.process import NoiseDraw
from trainer.diffusion.times import draw_shares, draws_evenly

BETA_START, BETA_END = 0.00085, 0.012
"""The first and last beta of Stable Diffusion's schedule."""


@dataclass(frozen=True)
class NoiseSchedule:
    """A noise schedule by timestep."""

    alphas_cumprod: Tensor
    """[N] in float32 on the CPU: alpha-bar, the cumulative product of 1 - beta (DDPM, section 2)."""


def noise_schedule(*, zero_terminal_snr: bool = False) -> NoiseSchedule:
    """The `scaled_linear` schedule of Stable Diffusion: the roots of beta are evenly spaced."""
    betas = torch.linspace(BETA_START**0.5, BETA_END**0.5, NUM_TRAIN_TIMESTEPS, dtype=torch.float32) ** 2
    alphas_cumprod = torch.cumprod(1 - betas, dim=0)
    return NoiseSchedule(with_zero_terminal_snr(alphas_cumprod) if zero_terminal_snr else alphas_cumprod)


def with_zero_terminal_snr(alphas_cumprod: Tensor) -> Tensor:
    """The schedule [N] rescaled to a signal-to-noise ratio of zero at its last timestep; the first keeps its own.

    Lin et al. 2024, algorithm 1: arxiv.org/abs/2305.08891. The products are stretched directly, not by way of betas.
    """
    roots = alphas_cumprod.sqrt()
    first, last = roots[0], roots[-1]
    return ((roots - last) * (first / (first - last))) ** 2


def draw_noise(latents: Tensor, config: LossConfig, schedule: NoiseSchedule, generator: torch.Generator) -> NoiseDraw:
    """Noise and timesteps for latents [B, C, H, W], drawn in kohya's order.

    Args:
        latents: scaled; on any device, of any float dtype (looked at only for an adaptive offset).
        generator: on the CPU.
    """
    shape = latents.shape
    noise = torch.randn(shape, generator=generator)
    if config.noise_offset > 0:
        noise = noise + _offset(latents, config) * torch.randn(*shape[:2], 1, 1, generator=generator)
    if config.multires_iterations > 0:
        noise = _with_coarser_levels(noise, config, generator)
    timesteps = draw_timesteps(config, shape[0], generator)
    input_noise = None
    if config.input_perturbation > 0:
        input_noise = config.input_perturbation * torch.randn(shape, generator=generator)
    return NoiseDraw(noise, timesteps, schedule.alphas_cumprod[timesteps], input_noise)


def draw_timesteps(config: LossConfig, count: int, generator: torch.Generator) -> Tensor:
    """So many timesteps, int64, from the lowest up to the one below the highest that is set."""
    least, most = config.min_timestep, config.max_timestep
    if draws_evenly(config):
        return torch.randint(least, most, (count,), generator=generator)
    assert config.timestep_shift != "auto", "only flow matching has a shift by size"
    shares = draw_shares(config, count, config.timestep_shift, generator)
    return (least + (most - least) * shares).long().clamp(max=most - 1)


def add_noise(latents: Tensor, noise: Tensor, alphas_cumprod: Tensor) -> Tensor:
    """Noisy latents [B, C, H, W] of latents and noise at alphas_cumprod [B]: DDPM, eq. 4."""
    abar = alphas_cumprod[:, None, None, None]
    return abar.sqrt() * latents + (1 - abar).sqrt() * noise


def _offset(latents: Tensor, config: LossConfig) -> Tensor | float:
    """The strength of the channel-wide noise, [B, C, 1, 1] where it follows the latents."""
    if config.adaptive_noise_scale == 0:
        return config.noise_offset
    means = latents.float().cpu().mean(dim=(2, 3), keepdim=True).abs()
    return (config.noise_offset + config.adaptive_noise_scale * means).clamp(min=0)


def _with_coarser_levels(noise: Tensor, config: LossConfig, generator: torch.Generator) -> Tensor:
    """Noise plus noise of ever coarser grids, each weighted by the discount once more; divided by its spread."""
    height, width = noise.shape[-2:]
    total = noise
    for level in range(config.multires_iterations):
        scale = (2 + 2 * float(torch.rand((), generator=generator, dtype=torch.float64))) ** level
        size = max(1, int(height / scale)), max(1, int(width / scale))
        coarse = torch.randn(*noise.shape[:2], *size, generator=generator)
        total = total + config.multires_discount**level * interpolate(coarse, size=(height, width), mode="bilinear")
        if 1 in size:
            break
    return total / total.std()

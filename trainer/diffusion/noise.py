"""The noise that training adds to latents. All randomness comes from a generator on the CPU, in float32, so that the
same seed gives the same training whatever the device, the dtype and the caches.

Letters: B pictures in a batch, C channels, H and W latent height and width, N timesteps of the schedule.
Formulas: DDPM, Ho et al. 2020: arxiv.org/abs/2006.11239.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from advisor.errors import ConfigError
from advisor.settings.config import LossConfig

NUM_TIMESTEPS = 1000
"""N of all Stable Diffusion models."""


@dataclass(frozen=True)
class NoiseSchedule:
    """How much of the signal is left at each timestep."""

    alphas_cumprod: Tensor
    """[N] in float32 on the CPU: the share of signal (DDPM, section 2)."""


@dataclass(frozen=True)
class NoiseDraw:
    """All that is drawn for one batch, on the CPU."""

    noise: Tensor
    """[B, C, H, W]"""
    timesteps: Tensor
    """[B], int64."""
    signal: Tensor
    """[B]: the schedule at the timesteps."""
    input_noise: Tensor | None
    """[B, C, H, W]: further noise for the input only."""


def noise_schedule(
    *, zero_terminal_snr: bool = False, beta_start: float = 0.00085, beta_end: float = 0.012
) -> NoiseSchedule:
    """The `scaled_linear` schedule of Stable Diffusion: the roots of beta are evenly spaced."""
    betas = torch.linspace(beta_start**0.5, beta_end**0.5, NUM_TIMESTEPS, dtype=torch.float32) ** 2
    alphas_cumprod = torch.cumprod(1 - betas, dim=0)
    return NoiseSchedule(with_zero_terminal_snr(alphas_cumprod) if zero_terminal_snr else alphas_cumprod)


def with_zero_terminal_snr(alphas_cumprod: Tensor) -> Tensor:
    """The schedule stretched so that nothing is left of the signal at its last step and the first stays as it is.

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

    Raises:
        ConfigError: the range of timesteps is empty.
    """
    if config.min_timestep >= config.max_timestep:
        mend = f"it must be below loss.max_timestep, which is {config.max_timestep}"
        raise ConfigError("loss.min_timestep", config.min_timestep, mend)
    shape = latents.shape
    noise = torch.randn(shape, generator=generator)
    if config.noise_offset > 0:
        noise = noise + _offset(latents, config) * torch.randn(*shape[:2], 1, 1, generator=generator)
    if config.multires_iterations > 0:
        noise = _with_coarser_levels(noise, config, generator)
    timesteps = torch.randint(config.min_timestep, config.max_timestep, shape[:1], generator=generator)
    input_noise = None
    if config.input_perturbation > 0:
        input_noise = config.input_perturbation * torch.randn(shape, generator=generator)
    return NoiseDraw(noise, timesteps, schedule.alphas_cumprod[timesteps], input_noise)


def add_noise(latents: Tensor, noise: Tensor, signal: Tensor) -> Tensor:
    """Latents [B, C, H, W] at the share of signal [B]: DDPM, eq. 4."""
    signal = signal[:, None, None, None]
    return signal.sqrt() * latents + (1 - signal).sqrt() * noise


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

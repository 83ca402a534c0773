"""Which times of the noise are trained, and how much each counts; the same for every process.

A share is a time's place in the range that is trained: 0 the least noise, 1 the most. Letters: B images in a batch.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from advisor.settings.config import NUM_TRAIN_TIMESTEPS, LossConfig

TOKENS_AND_MU = (256, 0.5), (4096, 1.15)
"""Image tokens and the logarithm of the shift that FLUX.1 draws pictures with at the smallest and the largest size."""
BELL_SPREAD = 0.5
"""The bell's standard deviation in shares."""
BELL_FOOT = math.exp(-0.5 * (0.5 / BELL_SPREAD) ** 2)
"""Its height at both ends of the range, which is taken off."""
BELL_MEAN = BELL_SPREAD * math.sqrt(2 * math.pi) * math.erf(0.5 / (BELL_SPREAD * math.sqrt(2))) - BELL_FOOT
"""Its mean over the range then, which weights are divided by, so that the loss stays of its size."""


def draws_evenly(loss: LossConfig) -> bool:
    """Whether every time of the range is as likely as any other."""
    return loss.timestep_sampling == "uniform" and loss.timestep_shift == 1


def draw_shares(loss: LossConfig, count: int, shift: float, generator: torch.Generator) -> Tensor:
    """Shares [B] in float32; logit-normal: Esser et al. 2024, section 3.1: arxiv.org/abs/2403.03206.

    Args:
        shift: a factor (`shift_of`).
        generator: on the CPU.
    """
    if loss.timestep_sampling == "uniform":
        return shifted(torch.rand(count, generator=generator), shift)
    normal = loss.timestep_mean + loss.timestep_scale * torch.randn(count, generator=generator)
    return shifted(normal.sigmoid(), shift)


def shifted(shares: Tensor, shift: float) -> Tensor:
    """Shares moved towards more noise by a shift above 1: Esser et al. 2024, eq. 23: arxiv.org/abs/2403.03206."""
    return shares if shift == 1 else shift * shares / (1 + (shift - 1) * shares)


def shift_of(loss: LossConfig, num_tokens: int) -> float:
    """The factor that `loss.timestep_shift` is for a picture of so many image tokens."""
    return shift_by_size(num_tokens) if loss.timestep_shift == "auto" else loss.timestep_shift


def shift_by_size(num_tokens: int) -> float:
    """The factor that grows with the picture: its logarithm is linear in the number of image tokens."""
    (few, low), (many, high) = TOKENS_AND_MU
    return math.exp(low + (high - low) * (num_tokens - few) / (many - few))


def bell_weights(loss: LossConfig, times: Tensor) -> Tensor:
    """The weights [B] of losses at times [B] in 0..1, of which the range that is trained is a part."""
    least, most = (step / NUM_TRAIN_TIMESTEPS for step in (loss.min_timestep, loss.max_timestep))
    shares = (times - least) / (most - least)
    return (torch.exp(-0.5 * ((shares - 0.5) / BELL_SPREAD).square()) - BELL_FOOT) / BELL_MEAN

"""What the denoiser should answer, and how far off an answer is.

Letters: B pictures in a batch, C channels, H and W latent height and width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from advisor.errors import ConfigError
from advisor.families.structure import Prediction
from advisor.settings.config import LossConfig
from trainer.diffusion.noise import NUM_TIMESTEPS


def target(prediction: Prediction, latents: Tensor, noise: Tensor, signal: Tensor) -> Tensor:
    """The right answer [B, C, H, W] for latents and noise [B, C, H, W] at the share of signal [B].

    epsilon: the noise (DDPM, Ho et al. 2020, eq. 14: arxiv.org/abs/2006.11239); v_prediction: Salimans and Ho 2022,
    appendix D: arxiv.org/abs/2202.00512.
    """
    if prediction == "epsilon":
        return noise
    if prediction == "v_prediction":
        signal = signal[:, None, None, None]
        return signal.sqrt() * noise - (1 - signal).sqrt() * latents
    raise ConfigError("model.prediction", prediction, "this family predicts epsilon or v_prediction")


def elementwise_loss(
    predicted: Tensor, wanted: Tensor, config: LossConfig, timesteps: Tensor, signal: Tensor
) -> Tensor:
    """The difference of each element, [B, C, H, W]."""
    difference = predicted - wanted
    if config.kind == "l2":
        return difference.square()
    if config.kind == "l1":
        return difference.abs()
    c = huber_c(config, timesteps, signal)
    factor = 2 * c if config.kind == "huber" else 2
    return factor * (torch.sqrt(difference.square() + c.square()) - c)


def huber_c(config: LossConfig, timesteps: Tensor, signal: Tensor) -> Tensor:
    """Where the loss turns from square to straight, [B, 1, 1, 1]."""
    c = config.huber_c
    if config.huber_schedule == "constant":
        each = torch.full_like(signal, c)
    elif config.huber_schedule == "exponential":
        each = torch.exp(timesteps.to(signal.dtype) * (math.log(c) / NUM_TIMESTEPS))
    else:
        sigmas = ((1 - signal) / signal).sqrt()
        each = (1 - c) / (1 + sigmas).square() + c
    return each[:, None, None, None]

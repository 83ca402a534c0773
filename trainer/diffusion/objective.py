"""DDPM's training objective: the denoiser's target, the loss of its output, the weight of each timestep.

Letters: B images in a batch, C channels, H and W latent height and width. `alphas_cumprod` is alpha-bar of DDPM at a
batch's timesteps (section 2 of Ho et al. 2020: arxiv.org/abs/2006.11239); the noise's share is one minus it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from advisor.errors import ConfigError
from advisor.families.structure import Prediction
from advisor.settings.config import NUM_TRAIN_TIMESTEPS, LossConfig, LossKind

MAX_SNR = 1000.0
"""The debiased weight clamps the signal-to-noise ratio to this from above."""
MIN_SNR = 0.00468
"""And to this from below, the SNR of the usual schedule's last step: at a terminal SNR of zero it would be infinite."""


def target(prediction: Prediction, latents: Tensor, noise: Tensor, alphas_cumprod: Tensor) -> Tensor:
    """What the denoiser learns to predict, [B, C, H, W], for latents and noise [B, C, H, W] at alphas_cumprod [B].

    epsilon: the noise (DDPM, Ho et al. 2020, eq. 14: arxiv.org/abs/2006.11239); v_prediction: Salimans and Ho 2022,
    appendix D: arxiv.org/abs/2202.00512.

    Raises:
        ConfigError: the prediction type is another.
    """
    if prediction == "epsilon":
        return noise
    if prediction == "v_prediction":
        abar = alphas_cumprod[:, None, None, None]
        return abar.sqrt() * noise - (1 - abar).sqrt() * latents
    raise ConfigError("model.prediction", prediction, "this family predicts epsilon or v_prediction")


def elementwise_loss(predicted: Tensor, wanted: Tensor, kind: LossKind, huber_c: Tensor | None) -> Tensor:
    """The loss of each element, [B, C, ...]: l2, l1, pseudo-Huber with a slope of 2 c (huber) or 2 (smooth_l1).

    Args:
        huber_c: the pseudo-Huber loss's c of each image, [B]; l2 and l1 have none.
    """
    difference = predicted - wanted
    if kind == "l2":
        return difference.square()
    if kind == "l1":
        return difference.abs()
    assert huber_c is not None, "a pseudo-Huber loss has a c"
    c = huber_c.view(-1, *[1] * (difference.ndim - 1))
    factor = 2 * c if kind == "huber" else 2
    return factor * (torch.sqrt(difference.square() + c.square()) - c)


def huber_c(config: LossConfig, timesteps: Tensor, alphas_cumprod: Tensor) -> Tensor:
    """The pseudo-Huber loss's c [B], where it turns from quadratic to linear.

    Pseudo-Huber with a scheduled c: Khrapov et al. 2024: arxiv.org/abs/2403.16728.
    """
    c = config.huber_c
    if config.huber_schedule == "constant":
        return torch.full_like(alphas_cumprod, c)
    if config.huber_schedule == "exponential":
        return torch.exp(timesteps.to(alphas_cumprod.dtype) * (math.log(c) / NUM_TRAIN_TIMESTEPS))
    sigmas = ((1 - alphas_cumprod) / alphas_cumprod).sqrt()
    return (1 - c) / (1 + sigmas).square() + c


def snr_weight(config: LossConfig, prediction: Prediction, alphas_cumprod: Tensor) -> Tensor:
    """The weight [B] of losses at alphas_cumprod [B], by the signal-to-noise ratio there.

    min-SNR: Hang et al. 2023, eq. 7: arxiv.org/abs/2303.09556. Debiased: Yu et al. 2023: arxiv.org/abs/2310.08442.
    """
    snr = alphas_cumprod / (1 - alphas_cumprod)
    weight = alphas_cumprod.new_ones(alphas_cumprod.shape)
    if config.min_snr_gamma > 0:
        capped = snr.clamp(max=config.min_snr_gamma)
        # As `capped / snr` the weight would be 0 / 0 at a terminal SNR of zero; there it tends to 1.
        weight = capped / (snr + 1) if prediction == "v_prediction" else (config.min_snr_gamma / snr).clamp(max=1)
    if config.debiased:
        capped = snr.clamp(MIN_SNR, MAX_SNR)
        weight = weight * (1 / (capped + 1) if prediction == "v_prediction" else capped.rsqrt())
    return weight

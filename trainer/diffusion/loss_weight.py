"""How much each timestep's loss counts.

Letters: B pictures in a batch.
"""

from __future__ import annotations

from torch import Tensor

from advisor.families.structure import Prediction
from advisor.settings.config import LossConfig

MAX_SNR = 1000.0
"""The debiased weight takes no signal-to-noise ratio above this."""
MIN_SNR = 0.00468
"""Nor one below this, that of the usual schedule's last step: at a last step without signal it would be infinite."""


def snr_weight(config: LossConfig, prediction: Prediction, signal: Tensor) -> Tensor:
    """The weight [B] of losses at the share of signal [B].

    min-SNR: Hang et al. 2023, eq. 7: arxiv.org/abs/2303.09556. Debiased: Yu et al. 2023: arxiv.org/abs/2310.08442.
    """
    snr = signal / (1 - signal)
    weight = signal.new_ones(signal.shape)
    if config.min_snr_gamma > 0:
        capped = snr.clamp(max=config.min_snr_gamma)
        # As a share of `snr` the weight would be 0 / 0 where nothing is left of the signal; there it tends to 1.
        weight = capped / (snr + 1) if prediction == "v_prediction" else (config.min_snr_gamma / snr).clamp(max=1)
    if config.debiased:
        capped = snr.clamp(MIN_SNR, MAX_SNR)
        weight = weight * (1 / (capped + 1) if prediction == "v_prediction" else capped.rsqrt())
    return weight

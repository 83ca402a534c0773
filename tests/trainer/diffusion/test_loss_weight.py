from __future__ import annotations

import pytest
import torch

from advisor.families.structure import Prediction
from advisor.settings.config import LossConfig
from trainer.diffusion.loss_weight import snr_weight
from trainer.diffusion.noise import noise_schedule

SIGNAL = torch.tensor([0.9, 0.2])
SNR = [9.0, 0.25]


def weights(prediction: Prediction = "epsilon", **settings: object) -> list[float]:
    return snr_weight(LossConfig.model_validate(settings), prediction, SIGNAL).tolist()


def test_without_a_setting_all_timesteps_count_alike() -> None:
    assert weights() == [1, 1]


def test_min_snr_caps_what_has_little_noise() -> None:
    assert weights(min_snr_gamma=5.0) == pytest.approx([5 / 9, 1])
    assert weights("v_prediction", min_snr_gamma=5.0) == pytest.approx([5 / 10, 0.25 / 1.25])


def test_debiased_weights() -> None:
    assert weights(debiased=True) == pytest.approx([1 / 3, 2])
    assert weights("v_prediction", debiased=True) == pytest.approx([1 / 10, 1 / 1.25])


def test_both_are_multiplied() -> None:
    assert weights(min_snr_gamma=5.0, debiased=True) == pytest.approx([5 / 27, 2])


@pytest.mark.parametrize("settings", [{"min_snr_gamma": 5.0}, {"debiased": True}])
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_a_step_without_signal_has_a_finite_weight(prediction: Prediction, settings: dict[str, object]) -> None:
    signal = noise_schedule(zero_terminal_snr=True).alphas_cumprod

    assert bool(snr_weight(LossConfig.model_validate(settings), prediction, signal).isfinite().all())

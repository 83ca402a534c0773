from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from advisor.errors import ConfigError
from advisor.families.structure import Prediction
from advisor.settings.config import LossConfig
from trainer.diffusion.noise import add_noise, noise_schedule
from trainer.diffusion.objective import elementwise_loss, huber_c, snr_weight, target

TIMESTEPS = torch.tensor([37, 731])
ABAR = noise_schedule().alphas_cumprod[TIMESTEPS]
WITH_SNR_9_AND_A_QUARTER = torch.tensor([0.9, 0.2])
LATENTS, NOISE = torch.randn(2, 2, 4, 4, 4, generator=torch.Generator().manual_seed(0))


def test_epsilon_is_the_noise() -> None:
    assert target("epsilon", LATENTS, NOISE, ABAR) is NOISE


def test_v_gives_back_latents_and_noise() -> None:
    noisy = add_noise(LATENTS, NOISE, ABAR)
    v = target("v_prediction", LATENTS, NOISE, ABAR)
    abar = ABAR[:, None, None, None]

    torch.testing.assert_close(abar.sqrt() * noisy - (1 - abar).sqrt() * v, LATENTS)
    torch.testing.assert_close((1 - abar).sqrt() * noisy + abar.sqrt() * v, NOISE)


def test_flow_is_none_of_this_familys() -> None:
    with pytest.raises(ConfigError, match=r"model\.prediction"):
        target("flow", LATENTS, NOISE, ABAR)


def loss(difference: float, **settings: object) -> Tensor:
    config = LossConfig.model_validate({"huber_schedule": "constant", "huber_c": 0.1, **settings})
    c = huber_c(config, TIMESTEPS, ABAR)
    return elementwise_loss(torch.full((2, 1, 1, 1), difference), torch.zeros(2, 1, 1, 1), config.kind, c)


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("l2", 0.25),
        ("l1", 0.5),
        ("huber", 2 * 0.1 * (math.sqrt(0.25 + 0.01) - 0.1)),
        ("smooth_l1", 2 * (math.sqrt(0.25 + 0.01) - 0.1)),
    ],
)
def test_each_kind_of_loss(kind: str, wanted: float) -> None:
    assert loss(-0.5, kind=kind).flatten().tolist() == pytest.approx([wanted, wanted])


def test_the_place_where_huber_turns_follows_its_schedule() -> None:
    def places(schedule: str) -> list[float]:
        config = LossConfig.model_validate({"huber_schedule": schedule, "huber_c": 0.1})
        return huber_c(config, TIMESTEPS, ABAR).flatten().tolist()

    sigmas = [math.sqrt((1 - abar) / abar) for abar in ABAR.tolist()]
    assert places("constant") == pytest.approx([0.1, 0.1])
    assert places("exponential") == pytest.approx([0.1**0.037, 0.1**0.731])
    assert places("snr") == pytest.approx([0.9 / (1 + sigma) ** 2 + 0.1 for sigma in sigmas])


def weights(prediction: Prediction = "epsilon", **settings: object) -> list[float]:
    return snr_weight(LossConfig.model_validate(settings), prediction, WITH_SNR_9_AND_A_QUARTER).tolist()


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
def test_at_a_terminal_snr_of_zero_the_weight_is_finite(prediction: Prediction, settings: dict[str, object]) -> None:
    whole = noise_schedule(zero_terminal_snr=True).alphas_cumprod

    assert bool(snr_weight(LossConfig.model_validate(settings), prediction, whole).isfinite().all())

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from advisor.errors import ConfigError
from advisor.settings.config import LossConfig
from trainer.diffusion.noise import add_noise, noise_schedule
from trainer.diffusion.objective import elementwise_loss, huber_c, target

TIMESTEPS = torch.tensor([37, 731])
SIGNAL = noise_schedule().alphas_cumprod[TIMESTEPS]
LATENTS, NOISE = torch.randn(2, 2, 4, 4, 4, generator=torch.Generator().manual_seed(0))


def test_epsilon_is_the_noise() -> None:
    assert target("epsilon", LATENTS, NOISE, SIGNAL) is NOISE


def test_v_gives_back_latents_and_noise() -> None:
    noisy = add_noise(LATENTS, NOISE, SIGNAL)
    v = target("v_prediction", LATENTS, NOISE, SIGNAL)
    signal = SIGNAL[:, None, None, None]

    torch.testing.assert_close(signal.sqrt() * noisy - (1 - signal).sqrt() * v, LATENTS)
    torch.testing.assert_close((1 - signal).sqrt() * noisy + signal.sqrt() * v, NOISE)


def test_flow_is_none_of_this_familys() -> None:
    with pytest.raises(ConfigError, match=r"model\.prediction"):
        target("flow", LATENTS, NOISE, SIGNAL)


def loss(difference: float, **settings: object) -> Tensor:
    config = LossConfig.model_validate({"huber_schedule": "constant", "huber_c": 0.1, **settings})
    return elementwise_loss(torch.full((2, 1, 1, 1), difference), torch.zeros(2, 1, 1, 1), config, TIMESTEPS, SIGNAL)


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
        return huber_c(config, TIMESTEPS, SIGNAL).flatten().tolist()

    sigmas = [math.sqrt((1 - signal) / signal) for signal in SIGNAL.tolist()]
    assert places("constant") == pytest.approx([0.1, 0.1])
    assert places("exponential") == pytest.approx([0.1**0.037, 0.1**0.731])
    assert places("snr") == pytest.approx([0.9 / (1 + sigma) ** 2 + 0.1 for sigma in sigmas])

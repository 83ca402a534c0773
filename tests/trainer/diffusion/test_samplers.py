"""The samplers against what user interfaces do, written out here: A1111's samplers of k-diffusion and its own DDIM."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from advisor.settings.config import SamplerName, TrainingConfig, with_values
from tests.support.runs import make_config
from trainer.diffusion.noise import noise_schedule
from trainer.diffusion.samplers import make_sampler, step_arguments

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # diffusers converts in a way numpy 2 dislikes

STEPS = 20
CLEAN = 0.5


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainingConfig:
    return make_config(tmp_path_factory.mktemp("material"))


def sigmas_of_training() -> np.ndarray[Any, Any]:
    alphas = noise_schedule().alphas_cumprod.double().numpy()
    found: np.ndarray[Any, Any] = np.sqrt((1 - alphas) / alphas)
    return found


def normal_sigmas(steps: int) -> np.ndarray[Any, Any]:
    """k-diffusion's `get_sigmas`: evenly over the timesteps from the last to the first, then 0."""
    logs, times = np.log(sigmas_of_training()), np.linspace(999, 0, steps)
    return np.append(np.exp(np.interp(times, np.arange(1000), logs)), 0)


def karras_sigmas(steps: int) -> np.ndarray[Any, Any]:
    """Karras et al. 2022, eq. 5, with rho 7, between the largest and the smallest of training, then 0."""
    known = sigmas_of_training()
    ramp, low, high = np.linspace(0, 1, steps), known[0] ** (1 / 7), known[-1] ** (1 / 7)
    return np.append((high + ramp * (low - high)) ** 7, 0)


@pytest.mark.parametrize("name", ["euler", "euler_a"])
def test_euler_walks_the_sigmas_of_interfaces(config: TrainingConfig, name: Any) -> None:
    found = make_sampler(name, config, STEPS).sigmas.numpy()

    np.testing.assert_allclose(found, normal_sigmas(STEPS), rtol=1e-4)


def test_dpmpp_2m_walks_the_same_to_half_a_timestep(config: TrainingConfig) -> None:
    sampler = make_sampler("dpmpp_2m", config, STEPS)

    np.testing.assert_allclose(sampler.timesteps, np.linspace(999, 0, STEPS), atol=0.5)
    np.testing.assert_allclose(sampler.sigmas, normal_sigmas(STEPS), rtol=6e-3)


def test_dpmpp_2m_karras_walks_karras_sigmas(config: TrainingConfig) -> None:
    found = make_sampler("dpmpp_2m_karras", config, STEPS).sigmas.numpy()

    np.testing.assert_allclose(found, karras_sigmas(STEPS), rtol=1e-4)


def test_ddim_walks_every_fiftieth_timestep_from_1_on(config: TrainingConfig) -> None:
    sampler = make_sampler("ddim", config, STEPS)

    assert sampler.timesteps.tolist() == list(range(951, 0, -50))
    assert float(sampler.final_alpha_cumprod) == float(sampler.alphas_cumprod[0])


def test_unipc_walks_evenly_and_ends_at_the_smallest_sigma(config: TrainingConfig) -> None:
    sampler = make_sampler("unipc", config, STEPS)

    np.testing.assert_allclose(sampler.timesteps, np.linspace(999, 0, STEPS + 1)[:-1], atol=0.5)
    assert float(sampler.sigmas[-1]) == pytest.approx(sigmas_of_training()[0])


@pytest.mark.parametrize("name", get_args(SamplerName))
@pytest.mark.parametrize("change", [{"loss.zero_terminal_snr": True}, {}])
def test_a_base_of_v_prediction_is_drawn_from_the_last_timestep_on(
    config: TrainingConfig, name: Any, change: dict[str, Any]
) -> None:
    changed = with_values(config, {"model.prediction": "v_prediction", **change})
    sampler = make_sampler(name, changed, STEPS)

    assert sampler.timesteps[0] == 999
    if name == "ddim":
        assert sampler.timesteps.tolist() == list(range(999, 0, -50))


@pytest.mark.parametrize("name", get_args(SamplerName))
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_every_sampler_arrives_where_a_perfect_model_points(config: TrainingConfig, name: Any, prediction: str) -> None:
    changed = with_values(config, {"model.prediction": prediction})

    found = drawn(name, changed, STEPS, lambda latents, alpha: torch.full_like(latents, CLEAN))

    torch.testing.assert_close(found, torch.full_like(found, CLEAN), atol=0.1, rtol=0)


@pytest.mark.parametrize(("name", "sigmas"), [("euler", normal_sigmas), ("dpmpp_2m_karras", karras_sigmas)])
def test_the_picture_is_that_of_k_diffusion(config: TrainingConfig, name: Any, sigmas: Any) -> None:
    walk = torch.from_numpy(sigmas(STEPS)).double()
    start = noise().double() * walk[0]
    expected = (euler if name == "euler" else dpmpp_2m)(start, walk)

    found = drawn(name, config, STEPS, guess)

    torch.testing.assert_close(found.double(), expected, atol=0.02, rtol=0)


def noise() -> Tensor:
    return torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(3))


def guess(latents: Tensor, alpha: Tensor) -> Tensor:
    """A model's picture without noise: of two clean pictures, 1 and -1, the mean weighed by their likelihood."""
    return torch.tanh(latents * alpha.sqrt() / (1 - alpha))


def drawn(name: Any, config: TrainingConfig, steps: int, clean_of: Any) -> Tensor:
    sampler, rng = make_sampler(name, config, steps), torch.Generator().manual_seed(0)
    latents = noise() * float(sampler.init_noise_sigma)
    for time in sampler.timesteps:
        scaled = sampler.scale_model_input(latents, time)
        alpha = noise_schedule().alphas_cumprod[int(time.round())]
        clean = clean_of(scaled, alpha)
        predicted = (scaled - alpha.sqrt() * clean) / (1 - alpha).sqrt()
        if config.model.prediction == "v_prediction":
            predicted = alpha.sqrt() * predicted - (1 - alpha).sqrt() * clean
        latents = sampler.step(predicted, time, latents, **step_arguments(name, rng)).prev_sample
    return latents


def denoised(latents: Tensor, sigma: Tensor) -> Tensor:
    alpha = 1 / (1 + sigma**2)
    return guess(latents * alpha.sqrt(), alpha)


def euler(latents: Tensor, sigmas: Tensor) -> Tensor:
    """Euler's steps in sigma: Karras et al. 2022, algorithm 1 without its second order."""
    for sigma, following in pairwise(sigmas):
        latents = latents + (latents - denoised(latents, sigma)) / sigma * (following - sigma)
    return latents


def dpmpp_2m(latents: Tensor, sigmas: Tensor) -> Tensor:
    """DPM-Solver++(2M), Lu et al. 2022, algorithm 2, in sigma: the last step, to 0, is of the first order."""
    before, length = None, 0.0
    for sigma, following in pairwise(sigmas):
        clean = denoised(latents, sigma)
        towards = clean
        if following > 0:
            step = math.log(float(sigma / following))
            if before is not None:
                towards = clean + (clean - before) * step / (2 * length)
            length = step
        latents = following / sigma * latents + (1 - following / sigma) * towards
        before = clean
    return latents


def test_a_setting_of_older_runs_still_names_a_sampler(tmp_path: Path) -> None:
    for name in ("ddim", "euler", "euler_a", "unipc", "dpmpp_2m"):
        assert make_config(tmp_path, sampling__sampler=name).sampling.sampler == name

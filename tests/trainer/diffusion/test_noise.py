from __future__ import annotations

import json

import pytest
import torch
from torch import Tensor

from advisor.settings.config import LossConfig
from tests.support.paths import KOHYA_VECTORS
from trainer.diffusion.noise import add_noise, draw_noise, noise_schedule

VECTORS = json.loads(KOHYA_VECTORS.read_text(encoding="utf-8"))
SCHEDULE = noise_schedule()
LATENTS = torch.full((2, 4, 8, 12), 3.0)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def snr(abar: Tensor) -> Tensor:
    return abar / (1 - abar)


@pytest.mark.parametrize("timestep", VECTORS["all_snr_sample"])
def test_signal_to_noise_is_kohyas(timestep: str) -> None:
    wanted = VECTORS["all_snr_sample"][timestep]

    # An alpha-bar near 1 in float32 gives the ratio to 3 digits only: sd-scripts has it from roots of its own.
    assert float(snr(SCHEDULE.alphas_cumprod[int(timestep)])) == pytest.approx(wanted, rel=3e-4)


def test_zero_terminal_snr_ends_in_pure_noise_and_keeps_the_start() -> None:
    rescaled = noise_schedule(zero_terminal_snr=True).alphas_cumprod

    assert rescaled[-1] == VECTORS["zt"]["alphas_cumprod_999"] == 0
    assert rescaled[0] == pytest.approx(float(SCHEDULE.alphas_cumprod[0]), rel=1e-6)
    assert bool((rescaled.diff() < 0).all())


def test_everything_is_drawn_in_kohyas_order() -> None:
    config = LossConfig(noise_offset=0.05, input_perturbation=0.1)
    generator = seeded()
    noise = torch.randn(LATENTS.shape, generator=generator)
    offset = torch.randn(2, 4, 1, 1, generator=generator)
    timesteps = torch.randint(0, 1000, (2,), generator=generator)
    perturbation = torch.randn(LATENTS.shape, generator=generator)

    draw = draw_noise(LATENTS, config, SCHEDULE, seeded())

    assert torch.equal(draw.noise, noise + 0.05 * offset)
    assert torch.equal(draw.times, timesteps)
    assert torch.equal(draw.levels, SCHEDULE.alphas_cumprod[timesteps])
    assert draw.input_noise is not None
    assert torch.equal(draw.input_noise, 0.1 * perturbation)


def test_the_same_seed_draws_the_same_for_latents_of_any_dtype() -> None:
    one = draw_noise(LATENTS, LossConfig(), SCHEDULE, seeded())
    other = draw_noise(LATENTS.bfloat16(), LossConfig(), SCHEDULE, seeded())

    assert torch.equal(one.noise, other.noise)
    assert one.noise.dtype == other.noise.dtype == torch.float32


def test_an_adaptive_offset_grows_with_the_latents_mean() -> None:
    plain = draw_noise(LATENTS, LossConfig(), SCHEDULE, seeded()).noise
    adaptive = LossConfig(noise_offset=0.05, adaptive_noise_scale=0.01)
    fixed = LossConfig(noise_offset=0.08)

    found = draw_noise(LATENTS, adaptive, SCHEDULE, seeded()).noise - plain

    torch.testing.assert_close(found, draw_noise(LATENTS, fixed, SCHEDULE, seeded()).noise - plain)


def test_an_adaptive_offset_never_goes_below_nothing() -> None:
    plain = draw_noise(LATENTS, LossConfig(), SCHEDULE, seeded()).noise
    config = LossConfig(noise_offset=0.05, adaptive_noise_scale=-0.1)

    assert torch.equal(draw_noise(LATENTS, config, SCHEDULE, seeded()).noise, plain)


def test_coarser_levels_make_neighbours_alike_and_keep_the_spread() -> None:
    config = LossConfig(multires_iterations=6, multires_discount=0.8)
    latents = torch.zeros(4, 4, 32, 32)

    plain = draw_noise(latents, LossConfig(), SCHEDULE, seeded()).noise
    noise = draw_noise(latents, config, SCHEDULE, seeded()).noise

    def likeness(noise: Tensor) -> float:
        return float((noise[..., 1:] * noise[..., :-1]).mean())

    assert float(noise.std()) == pytest.approx(1, abs=1e-5)
    assert abs(likeness(plain)) < 0.05
    assert likeness(noise) > 0.2


def test_coarser_levels_are_those_of_the_formula() -> None:
    """Each level is 2 to 4 times coarser than the one before, weighs the discount once more, and the last has one
    row or column; the sum is divided by the spread of the whole batch.
    """
    config = LossConfig(multires_iterations=8, multires_discount=0.4)
    generator, latents = seeded(3), torch.zeros(2, 4, 8, 12)
    wanted = torch.randn(2, 4, 8, 12, generator=generator)
    for level in range(8):
        ratio = (2 + 2 * torch.rand((), generator=generator, dtype=torch.float64).item()) ** level
        height, width = max(1, int(8 / ratio)), max(1, int(12 / ratio))
        coarse = torch.randn(2, 4, height, width, generator=generator)
        upsample = torch.nn.Upsample(size=(8, 12), mode="bilinear")
        wanted = wanted + 0.4**level * upsample(coarse)
        if min(height, width) == 1:
            break

    found = draw_noise(latents, config, SCHEDULE, seeded(3)).noise

    torch.testing.assert_close(found, wanted / wanted.std())


def test_timesteps_stay_in_their_range() -> None:
    config = LossConfig(min_timestep=10, max_timestep=13)

    timesteps = draw_noise(torch.zeros(200, 1, 1, 1), config, SCHEDULE, seeded()).times

    assert sorted(set(timesteps.tolist())) == [10, 11, 12]


def test_noisy_latents_keep_their_spread() -> None:
    latents = torch.randn(1, 4, 64, 64, generator=seeded(1))
    noise = torch.randn(1, 4, 64, 64, generator=seeded(2))

    noisy = add_noise(latents, noise, torch.tensor([0.25]))

    torch.testing.assert_close(noisy, 0.5 * latents + 0.75**0.5 * noise)


def test_logit_normal_timesteps_prefer_the_middle() -> None:
    config = LossConfig(timestep_sampling="logit_normal", timestep_scale=0.5)
    times = draw_noise(torch.zeros(4000, 1, 1, 1), config, SCHEDULE, seeded()).times

    assert times.dtype == torch.int64
    assert int(times.median()) == pytest.approx(500, abs=15)
    assert float(((times > 250) & (times < 750)).float().mean()) > 0.95


def test_shifted_timesteps_stay_in_their_range() -> None:
    config = LossConfig(min_timestep=10, max_timestep=13, timestep_shift=50.0)
    times = draw_noise(torch.zeros(400, 1, 1, 1), config, SCHEDULE, seeded()).times

    assert sorted(set(times.tolist())) == [10, 11, 12]
    assert float((times == 12).float().mean()) > 0.9

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from advisor.errors import ConfigError
from advisor.settings.config import LossConfig, blank_config, changed
from trainer.diffusion.flow import Flow, FlowEuler
from trainer.diffusion.processes import process_of
from trainer.diffusion.times import shift_by_size

LATENTS, NOISE = torch.randn(2, 2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
TIMES = torch.tensor([0.0, 0.25])


def flow(**loss: object) -> Flow:
    return Flow(LossConfig.model_validate(loss))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_noisy_latents_lie_on_the_line_from_picture_to_noise() -> None:
    noisy = flow().noisy(LATENTS, NOISE, TIMES)

    assert torch.equal(noisy[0], LATENTS[0])
    torch.testing.assert_close(noisy[1], 0.75 * LATENTS[1] + 0.25 * NOISE[1])


def test_pictures_are_drawn_with_the_base_models_shift_and_not_the_trained_one() -> None:
    solver = Flow(LossConfig(timestep_shift=2.0), sampling_shift=3.0).solver("euler", 4, [], LATENTS)

    assert [float(time) for time in solver.times] == pytest.approx([1, 0.9, 0.75, 0.5])


@pytest.mark.parametrize(("name", "shift"), [("anima", 3.0), ("unknown", 1.0)])
def test_the_shift_of_drawing_is_the_familys(name: str, shift: float) -> None:
    config = changed(blank_config(model="base.safetensors", family=name, images="."), "model.prediction", "flow")

    assert process_of(config) == Flow(config.loss, shift)


def test_latents_may_have_a_frame_axis() -> None:
    flat, framed = flow().noisy(LATENTS, NOISE, TIMES), flow().noisy(LATENTS[:, :, None], NOISE[:, :, None], TIMES)

    assert torch.equal(framed[:, :, 0], flat)


def test_the_velocity_leads_from_any_place_to_both_ends() -> None:
    noisy, velocity = flow().noisy(LATENTS, NOISE, TIMES), flow().target(LATENTS, NOISE, TIMES)
    times = TIMES[:, None, None, None]

    torch.testing.assert_close(noisy - times * velocity, LATENTS)
    torch.testing.assert_close(noisy + (1 - times) * velocity, NOISE)


def test_noise_is_drawn_before_times_and_as_other_processes_draw_it() -> None:
    generator = seeded()
    noise, shares = torch.randn(LATENTS.shape, generator=generator), torch.rand(2, generator=generator)
    draw = flow().draw(LATENTS, seeded())

    assert torch.equal(draw.noise, noise)
    assert torch.equal(draw.times, shares)
    assert draw.levels is draw.times
    assert draw.input_noise is None


def drawn_times(**loss: object) -> Tensor:
    return flow(**loss).draw(torch.zeros(20_000, 1, 1, 1), seeded()).times


def test_logit_normal_times_are_the_sigmoid_of_a_normal_distribution() -> None:
    logits = drawn_times(timestep_sampling="logit_normal", timestep_mean=-0.5, timestep_scale=0.8).logit()

    assert float(logits.mean()) == pytest.approx(-0.5, abs=0.02)
    assert float(logits.std()) == pytest.approx(0.8, abs=0.02)


def test_a_shift_of_three_moves_half_to_three_quarters() -> None:
    plain, moved = drawn_times(), drawn_times(timestep_shift=3.0)

    torch.testing.assert_close(moved, 3 * plain / (1 + 2 * plain))
    assert float(moved.median()) == pytest.approx(0.75, abs=0.01)


def test_the_shift_by_size_is_that_of_flux_at_both_ends() -> None:
    assert math.log(shift_by_size(256)) == pytest.approx(0.5)
    assert math.log(shift_by_size(4096)) == pytest.approx(1.15)


@pytest.mark.parametrize("side", [32, 128])
def test_an_automatic_shift_is_that_of_the_pictures_size(side: int) -> None:
    latents = torch.zeros(4, 1, side, side)
    plain, moved = (flow(timestep_shift=shift).draw(latents, seeded()).times for shift in (1.0, "auto"))
    shift = shift_by_size(side * side // 4)

    torch.testing.assert_close(moved, shift * plain / (1 + (shift - 1) * plain))


def test_times_stay_in_the_range_that_is_trained() -> None:
    times = drawn_times(min_timestep=200, max_timestep=300, timestep_shift=3.0)

    assert 0.2 <= float(times.min()) < 0.21
    assert 0.29 < float(times.max()) < 0.3


def test_all_times_count_alike_without_a_bell() -> None:
    assert flow().weights(TIMES, TIMES).tolist() == [1, 1]


def test_the_bell_of_a_part_of_the_times_is_one_on_average_too() -> None:
    times = torch.linspace(0.4, 0.6, 10_001)
    weights = flow(timestep_weighting="bell", min_timestep=400, max_timestep=600).weights(times, times)

    assert weights[0].item() == pytest.approx(0, abs=1e-4)
    assert weights.mean().item() == pytest.approx(1, rel=1e-3)


def test_the_bell_is_zero_at_both_ends_and_one_on_average() -> None:
    times = torch.linspace(0, 1, 10_001)
    weights = flow(timestep_weighting="bell").weights(times, times)

    assert weights[[0, -1]].tolist() == pytest.approx([0, 0], abs=1e-6)
    assert float(weights.max()) == float(weights[5000])
    assert float(weights.mean()) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("schedule", "wanted"),
    [("constant", [0.1, 0.1]), ("exponential", [1, 0.1**0.25]), ("snr", [1, 0.9 * 0.5625 + 0.1])],
)
def test_the_place_where_huber_turns_follows_its_schedule(schedule: str, wanted: list[float]) -> None:
    found = flow(huber_schedule=schedule, huber_c=0.1).huber_c(TIMES, TIMES)

    assert found.tolist() == pytest.approx(wanted)


def test_one_timestep_is_a_thousandth_of_the_way() -> None:
    draw = flow(input_perturbation=0.1, timestep_shift=3.0).draw_at(LATENTS, 300, seeded())

    assert draw.times.tolist() == pytest.approx([0.3, 0.3])
    assert draw.input_noise is None


def test_euler_walks_a_constant_velocity_to_the_picture() -> None:
    solver = FlowEuler.of(4, 3.0)
    latents = NOISE
    for time in solver.times:
        latents = solver.step(NOISE - LATENTS, time, solver.model_input(latents, time))

    torch.testing.assert_close(latents, LATENTS)
    assert [float(time) for time in solver.times] == pytest.approx([1, 0.9, 0.75, 0.5])


def test_other_samplers_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"sampling\.sampler"):
        flow().solver("ddim", 4, [], LATENTS)

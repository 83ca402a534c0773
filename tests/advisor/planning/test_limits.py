from __future__ import annotations

from typing import Any

import pytest

from advisor.errors import ConfigErrors
from advisor.planning.limits import broken_limits, limits_of_training
from advisor.planning.planner import make_plan
from advisor.settings.config import TrainingConfig, changed
from tests.support.factories import make_facts, make_plan_config


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"network.alpha": 64}, "network.alpha"),
        ({"network.rank": 8, "network.alpha": 128}, "network.alpha"),
        ({"optimizer.text_encoder_learning_rate": 2e-4}, "optimizer.text_encoder_learning_rate"),
        ({"dataset.resolution_px": 500}, "dataset.resolution_px"),
        ({"dataset.min_bucket_px": 640}, "dataset.min_bucket_px"),
        ({"dataset.max_bucket_px": 448}, "dataset.max_bucket_px"),
        ({"dataset.bucket_step_px": 12}, "dataset.bucket_step_px"),
        ({"memory.cache_text": True}, "memory.cache_text"),
        ({"memory.cache_latents": True, "dataset.random_crop": True}, "memory.cache_latents"),
        ({"network.kind": "loha", "network.dropout": 0.1}, "network.dropout"),
        (
            {"optimizer.name": "prodigy", "optimizer.text_encoder_learning_rate": 0.5},
            "optimizer.text_encoder_learning_rate",
        ),
        ({"optimizer.block_learning_rates": "1,1"}, "optimizer.block_learning_rates"),
        ({"network.kind": "dora", "saving.diffusers_copy": True}, "saving.diffusers_copy"),
        ({"loss.min_timestep": 700, "loss.max_timestep": 500}, "loss.min_timestep"),
        ({"model.prediction": "flow"}, "model.prediction"),
        ({"loss.timestep_shift": "auto"}, "loss.timestep_shift"),
        ({"model.text_encoder_path": "/models/qwen.safetensors"}, "model.text_encoder_path"),
        ({"memory.text_variants": 4}, "memory.text_variants"),
    ],
)
def test_a_limit_that_is_passed_is_told_by_its_setting(settings: dict[str, Any], path: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        make_plan(make_facts(settings=settings))

    assert [error.path for error in caught.value.errors] == [path]


def test_equal_rates_and_an_alpha_equal_to_the_rank_are_allowed() -> None:
    config = make_plan_config(settings={"network.alpha": 32, "optimizer.text_encoder_learning_rate": 1e-4})

    assert list(broken_limits(config)) == []


def test_an_imported_configuration_beyond_the_limits_is_named() -> None:
    config = changed(make_plan_config(), "network.alpha", 128.0)

    assert [error.path for _, error in broken_limits(config)] == ["network.alpha"]


def of_anima(**settings: Any) -> TrainingConfig:
    """What our trainer could do with Anima, but for these settings."""
    config = make_plan_config(settings={"loss.min_snr_gamma": 0.0, "sampling.sampler": "euler"})
    usual = {
        "model.family": "anima",
        "model.prediction": "flow",
        "optimizer.text_encoder_learning_rate": 0.0,
        "memory.cache_text": True,
        "memory.text_variants": 8,
    }
    for name, value in (usual | settings).items():
        config = changed(config, name, value)
    return config


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"model.prediction": "epsilon"}, "model.prediction"),
        ({"loss.min_snr_gamma": 5.0}, "loss.min_snr_gamma"),
        ({"loss.debiased": True}, "loss.debiased"),
        ({"loss.noise_offset": 0.05}, "loss.noise_offset"),
        ({"loss.multires_iterations": 3}, "loss.multires_iterations"),
        ({"loss.zero_terminal_snr": True}, "loss.zero_terminal_snr"),
        ({"sampling.prompts": ("a",), "sampling.every_epochs": 1, "sampling.sampler": "ddim"}, "sampling.sampler"),
    ],
)
def test_a_flow_matching_base_takes_nothing_that_needs_a_noise_schedule(settings: dict[str, Any], path: str) -> None:
    config = of_anima(**settings)

    assert [error.path for _, error in limits_of_training(config)] == [path]


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"optimizer.text_encoder_learning_rate": 5e-5}, "optimizer.text_encoder_learning_rate"),
        ({"memory.cache_text": False}, "memory.cache_text"),
        ({"dataset.shuffle_captions": True, "memory.text_variants": 0}, "memory.text_variants"),
        ({"dataset.tag_dropout": 0.1, "memory.text_variants": 0}, "memory.text_variants"),
    ],
)
def test_a_flow_matching_base_reads_its_captions_before_it_trains(settings: dict[str, Any], path: str) -> None:
    assert [error.path for _, error in limits_of_training(of_anima(**settings))] == [path]


def test_captions_left_out_are_one_text_more_and_need_no_forms() -> None:
    still = {"dataset.shuffle_captions": False, "dataset.tag_dropout": 0.0, "memory.text_variants": 0}
    config = of_anima(**still, **{"dataset.caption_dropout": 0.1, "model.text_encoder_path": "/models/q.safetensors"})

    assert list(broken_limits(config)) == []


@pytest.mark.parametrize("name", ["sd1", "sd2", "sdxl"])
@pytest.mark.parametrize("advice", ["tutorial", "current"])
def test_a_plan_with_prodigy_has_one_rate(name: str, advice: str) -> None:
    settings = {"optimizer.name": "prodigy", "run.advice": advice}
    optimizer = make_plan(make_facts(family=name, settings=settings)).config.optimizer

    assert optimizer.unet_learning_rate == 1
    assert optimizer.text_encoder_learning_rate in (0, 1)

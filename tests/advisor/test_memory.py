"""The closed form against the simulated steps that it was fitted to, and what it must obey."""

from __future__ import annotations

from typing import Any

import pytest

from advisor.config import TrainingConfig, changed
from advisor.families.sd1 import STANDARD
from advisor.families.sdxl import STANDARD as SDXL_STANDARD
from advisor.hardware import GIB
from advisor.memory import vram_bytes, vram_parts
from tests.factories import make_plan_config


def config_with(settings: dict[str, Any], **fields: Any) -> TrainingConfig:
    return make_plan_config(vram_gib=48, settings=settings, **fields)


@pytest.mark.parametrize(
    ("batch_size", "checkpointing", "simulated_gib"), [(1, False, 2.61), (4, False, 5.24), (4, True, 2.66)]
)
def test_the_denoiser_of_sd15_is_within_a_twentieth_of_its_simulated_steps(
    batch_size: int, checkpointing: bool, simulated_gib: float
) -> None:
    config = config_with(
        {
            "schedule.batch_size": batch_size,
            "memory.gradient_checkpointing": checkpointing,
            "dataset.resolution_px": 512,
            "optimizer.text_encoder_learning_rate": 0,
        }
    )
    parts = vram_parts(config, STANDARD)

    denoiser = sum(parts[name] for name in ("denoiser", "adapter", "optimizer", "activations")) / GIB
    assert denoiser == pytest.approx(simulated_gib, rel=0.05)


@pytest.mark.parametrize(("batch_size", "checkpointing", "simulated_gib"), [(2, False, 14.8), (4, True, 7.1)])
def test_the_denoiser_of_sdxl_is_within_a_twentieth_of_its_simulated_steps(
    batch_size: int, checkpointing: bool, simulated_gib: float
) -> None:
    config = config_with(
        {"schedule.batch_size": batch_size, "memory.gradient_checkpointing": checkpointing}, family="sdxl"
    )
    parts = vram_parts(config, SDXL_STANDARD)

    denoiser = sum(parts[name] for name in ("denoiser", "adapter", "optimizer", "activations")) / GIB
    assert denoiser == pytest.approx(simulated_gib, rel=0.05)


@pytest.mark.parametrize(
    ("path", "less", "more"),
    [
        ("schedule.batch_size", 1, 2),
        ("dataset.resolution_px", 512, 576),
        ("network.rank", 32, 64),
        ("memory.gradient_checkpointing", True, False),
        ("memory.base_dtype", "int8", "bfloat16"),
        ("memory.base_dtype", "nf4", "int8"),
        ("optimizer.name", "adamw8bit", "adamw"),
        ("optimizer.text_encoder_learning_rate", 0.0, 5e-5),
        ("memory.cache_latents", True, False),
    ],
)
def test_what_is_known_to_take_memory_does(path: str, less: Any, more: Any) -> None:
    config = make_plan_config()

    assert vram_bytes(changed(config, path, less), STANDARD) < vram_bytes(changed(config, path, more), STANDARD)


def test_float32_takes_more_than_half_precision() -> None:
    half = vram_bytes(make_plan_config(vram_gib=48), STANDARD)
    settings = {"schedule.batch_size": 6, "memory.compute_dtype": "float32"}

    assert vram_bytes(make_plan_config(vram_gib=48, settings=settings), STANDARD) > 1.7 * half

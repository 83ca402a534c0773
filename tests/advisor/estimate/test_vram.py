"""The closed form against the simulated steps that it was fitted to, and what it must obey."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from advisor.estimate.disk import adapter_parameters
from advisor.estimate.vram import (
    ALLOCATOR_SHARE,
    CONTEXT_BYTES,
    WORKSPACE_BYTES,
    phase_bytes,
    vram_bytes,
    vram_parts,
)
from advisor.families.sd1 import STANDARD
from advisor.settings.config import TrainingConfig, changed
from benchmarks.memory_entries import Entry, entries, sliced
from benchmarks.memory_grid import error, results
from tests.support.factories import make_plan_config


def config_with(settings: dict[str, Any], **fields: Any) -> TrainingConfig:
    return make_plan_config(vram_gib=48, settings=settings, **fields)


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.name)
def test_the_closed_form_is_within_three_percent_of_the_simulated_step(entry: Entry) -> None:
    assert abs(error(entry, results()[entry.name])) < 0.03


def test_the_grid_has_at_least_eighty_configurations_of_five_families() -> None:
    assert len(entries()) >= 80
    assert {entry.family for entry in entries()} == set(FAMILIES)


FAMILIES = ("sd1", "sd2", "sdxl", "anima", "z_image")
FIRST = tuple(next(one for one in entries() if one.family == family and one.phases) for family in FAMILIES)


@pytest.mark.parametrize("entry", [*FIRST, *sliced()], ids=lambda entry: entry.name)
def test_encoding_and_drawing_are_within_three_percent_of_the_simulated(entry: Entry) -> None:
    counted, config = results()[entry.name], changed(entry.config(), "memory.preset", "high")
    fixed = CONTEXT_BYTES + WORKSPACE_BYTES

    has_adapters_already = "caching" if "reading" not in counted else None
    for phase in {"reading", "caching", "sampling"} & counted.keys():
        adapter = 4 * adapter_parameters(config, entry.structure) if phase == has_adapters_already else 0
        found = phase_bytes(phase, config, entry.structure, size=(entry.width, entry.height))
        assert (found - fixed) / (1 + ALLOCATOR_SHARE) == pytest.approx(counted[phase] + adapter, rel=0.03)


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


def test_the_parts_of_a_batch_take_less_and_keep_all_gradients() -> None:
    config = make_plan_config(vram_gib=48, settings={"schedule.batch_size": 4})
    whole, parts = vram_parts(config, STANDARD), vram_parts(config, STANDARD, batch_parts=4)

    assert parts["activations"] == pytest.approx(whole["activations"] / 4, rel=0.01)
    # Four bytes of each trained weight from the start, and two more come beside six of masters and copies.
    assert parts["gradients"] >= parts["adapter"] * 4 / 6
    assert vram_bytes(config, STANDARD, batch_parts=9) == vram_bytes(config, STANDARD, batch_parts=4)


def test_the_largest_bucket_counts_not_the_resolution() -> None:
    config = make_plan_config(vram_gib=48)

    assert vram_bytes(config, STANDARD, size=(320, 320)) < vram_bytes(config, STANDARD)


def test_a_model_of_half_the_channels_keeps_about_half() -> None:
    config = make_plan_config(vram_gib=48)
    unet = replace(STANDARD.unet, block_out_channels=(160, 320, 640, 640))
    narrow = replace(STANDARD, unet=unet)

    whole, half = vram_parts(config, STANDARD)["activations"], vram_parts(config, narrow)["activations"]
    assert half == pytest.approx(whole / 2, rel=0.05)

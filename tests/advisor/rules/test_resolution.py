from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from advisor.families.sd1 import STANDARD
from advisor.families.stable_diffusion import StableDiffusionStructure
from advisor.settings.config import DatasetConfig
from tests.support.factories import make_plan_config, make_plan_for


@pytest.mark.parametrize(
    ("fields", "by_preset"),
    [
        ({}, (512, 512, 512, 576)),
        ({"advice": "current"}, (512, 512, 512, 512)),
        ({"family": "sd2"}, (512, 512, 512, 512)),
        ({"family": "sd2", "prediction": "v_prediction"}, (768, 768, 768, 768)),
        ({"family": "sdxl"}, (512, 1024, 1024, 1024)),
        ({"family": "sdxl", "lineage": "pony"}, (512, 1024, 1024, 1024)),
    ],
)
def test_one_resolution_each(fields: dict[str, Any], by_preset: tuple[int, ...]) -> None:
    found = tuple(make_plan_config(vram_gib=gib, **fields).dataset.resolution_px for gib in (None, 6, 8, 12))

    assert found == by_preset


def limits(dataset: DatasetConfig) -> tuple[int, int, int]:
    return dataset.min_bucket_px, dataset.max_bucket_px, dataset.bucket_step_px


@pytest.mark.parametrize(
    ("family", "expected"), [("sd1", (256, 1024, 64)), ("sd2", (256, 1024, 64)), ("sdxl", (512, 2048, 64))]
)
def test_bucket_limits(family: str, expected: tuple[int, int, int]) -> None:
    assert limits(make_plan_config(family=family).dataset) == expected


def small_structure(native_px: int) -> StableDiffusionStructure:
    unet = replace(STANDARD.unet, block_out_channels=(80, 128), transformer_depth=(0, 1), heads=(4, 4))
    return replace(STANDARD, unet=unet, native_px=native_px)


@pytest.mark.parametrize("vram_gib", [None, 6, 8, 24])
def test_a_small_base_is_trained_at_its_own_size_with_limits_in_proportion(vram_gib: float | None) -> None:
    config = make_plan_config(vram_gib=vram_gib, layout="diffusers", structure=small_structure(128))

    assert config.dataset.resolution_px == 128
    assert limits(config.dataset) == (64, 256, 16)


def test_a_base_that_draws_larger_than_its_family_is_trained_so() -> None:
    plan = make_plan_for(vram_gib=24, layout="diffusers", structure=replace(STANDARD, native_px=768))

    assert plan.config.dataset.resolution_px == 768
    assert "768 px" in plan.by_path["dataset.resolution_px"].reason


def test_a_single_file_does_not_tell_its_size() -> None:
    assert make_plan_config(structure=small_structure(128)).dataset.resolution_px == 512


def test_bucket_limits_make_room_for_a_chosen_resolution() -> None:
    low = make_plan_config(settings={"dataset.resolution_px": 128}).dataset
    high = make_plan_config(settings={"dataset.resolution_px": 1536}).dataset

    assert low.min_bucket_px == 128
    assert high.max_bucket_px == 1536


def test_a_resolution_that_had_to_fall_says_what_was_free() -> None:
    plan = make_plan_for(vram_gib=6, free_gib=1.4)

    assert plan.config.dataset.resolution_px < 512
    reason = plan.by_path["dataset.resolution_px"].reason
    assert re.match(r"512 px would need 1.4 GiB of the 1.4 GiB free", reason)


@pytest.mark.parametrize(
    ("fields", "value", "reason"),
    [
        (
            {"sizes": ((511, 511), (800, 600))},
            0.1,
            "of 511 x 511 23% would be cropped away, enlarged a little 0%",
        ),
        ({}, 0.0, "no picture is so little smaller"),
        ({"sizes": ((280, 280),)}, 0.0, "no picture is so little smaller"),
        (
            {"sizes": ((511, 511),), "settings": {"dataset.bucket_upscale": True}},
            0.0,
            "enlarged to the resolution anyhow",
        ),
    ],
)
def test_pictures_a_little_under_a_training_size_are_enlarged_a_little(
    fields: dict[str, Any], value: float, reason: str
) -> None:
    plan = make_plan_for(**fields)

    assert plan.config.dataset.upscale_tolerance == value
    assert reason in plan.by_path["dataset.upscale_tolerance"].reason

from __future__ import annotations

from typing import Any

import pytest

from advisor.units import shown
from tests.support.factories import make_plan_config, make_plan_for


@pytest.mark.parametrize(
    ("fields", "by_preset"),
    [
        ({}, (1, 2, 4, 6)),
        ({"advice": "current"}, (1, 2, 4, 6)),
        ({"family": "sdxl"}, (1, 1, 2, 4)),
    ],
)
def test_the_range_of_each_preset_with_much_free(fields: dict[str, Any], by_preset: tuple[int, ...]) -> None:
    cards = ((None, None), (7.4, 7.4), (11.4, 11.4), (48, 48))
    found = tuple(
        make_plan_config(vram_gib=total, free_gib=free, **fields).schedule.batch_size for total, free in cards
    )

    assert found == by_preset


def test_sdxl_checkpoints_unless_its_largest_batch_fits_without() -> None:
    assert make_plan_config(family="sdxl", vram_gib=12).memory.gradient_checkpointing is True
    assert make_plan_config(family="sdxl", vram_gib=48).memory.gradient_checkpointing is False


def test_on_a_processor_only_sdxl_checkpoints() -> None:
    assert make_plan_config(vram_gib=None).memory.gradient_checkpointing is False
    assert make_plan_config(vram_gib=None, family="sdxl").memory.gradient_checkpointing is True


@pytest.mark.parametrize(
    ("free_gib", "batch_size", "checkpointing", "accumulation", "base_dtype"),
    [
        (7.5, 4, False, 1, "bfloat16"),
        (6.0, 3, False, 1, "bfloat16"),
        (5.0, 2, False, 1, "bfloat16"),
        (3.5, 2, True, 1, "bfloat16"),
        (3.2, 1, True, 2, "bfloat16"),
        (2.2, 1, True, 2, "int8"),
        (1.8, 1, True, 2, "nf4"),
    ],
)
def test_a_medium_card_steps_down_from_the_least_harm_to_the_most(
    free_gib: float, batch_size: int, checkpointing: bool, accumulation: int, base_dtype: str
) -> None:
    config = make_plan_config(vram_gib=8, free_gib=free_gib)

    assert config.schedule.batch_size == batch_size
    assert config.memory.gradient_checkpointing is checkpointing
    assert config.schedule.gradient_accumulation == accumulation
    assert config.memory.base_dtype == base_dtype
    assert config.dataset.resolution_px == 512


def test_a_low_card_uses_the_8_bit_optimizer_where_bitsandbytes_works() -> None:
    assert make_plan_config(vram_gib=6, has_bitsandbytes=True).optimizer.name == "adamw8bit"
    assert make_plan_config(vram_gib=6).optimizer.name == "adamw"
    assert make_plan_config(vram_gib=8, has_bitsandbytes=True).optimizer.name == "adamw"


def test_a_chosen_batch_stands_and_checkpointing_pays_for_it() -> None:
    config = make_plan_config(vram_gib=8, settings={"schedule.batch_size": 8})

    assert config.schedule.batch_size == 8
    assert config.memory.gradient_checkpointing is True


def test_latents_are_cached_unless_crops_are_random() -> None:
    assert make_plan_config().memory.cache_latents is True
    assert make_plan_config(settings={"dataset.random_crop": True}).memory.cache_latents is False


@pytest.mark.parametrize(
    ("fields", "cached"),
    [
        ({}, False),
        ({"settings": {"optimizer.text_encoder_learning_rate": 0}}, True),
        ({"settings": {"optimizer.text_encoder_learning_rate": 0, "dataset.tag_dropout": 0.1}}, False),
        ({"settings": {"optimizer.text_encoder_learning_rate": 0, "dataset.shuffle_captions": True}}, False),
        ({"family": "sdxl"}, True),
    ],
)
def test_text_is_cached_only_where_it_stays_the_same(fields: dict[str, Any], cached: bool) -> None:
    assert make_plan_config(**fields).memory.cache_text is cached


def test_the_reason_for_a_batch_names_what_it_needs_and_what_is_free() -> None:
    assert make_plan_for().by_path["schedule.batch_size"].reason == (
        "medium cards take 2 to 4: 4 needs about 6.8 GiB of 7.5 GiB free"
    )


def test_a_base_that_stays_unquantised_is_paid_for_by_the_resolution() -> None:
    config = make_plan_config(vram_gib=8, free_gib=2.5, settings={"memory.base_dtype": "bfloat16"})

    assert config.memory.base_dtype == "bfloat16"
    assert config.dataset.resolution_px < 512


@pytest.mark.parametrize(("path", "value"), [("schedule.batch_size", 16), ("memory.gradient_checkpointing", True)])
def test_of_a_choice_the_reason_tells_what_the_rules_would_have_taken(path: str, value: object) -> None:
    free = make_plan_for().by_path[path]
    chosen = make_plan_for(settings={path: value}).by_path[path]

    assert chosen.reason == f"you chose it; the rules would take {shown(free.value)}: {free.reason}"

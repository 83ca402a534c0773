from __future__ import annotations

import re
from typing import Any

import pytest

from advisor.plan import Plan
from advisor.units import shown
from tests.support.factories import make_plan_config, make_plan_for


@pytest.mark.parametrize(
    "fields", [{}, {"advice": "current"}, {"family": "sd2"}, {"family": "sdxl"}, {"subject": "style"}]
)
@pytest.mark.parametrize("vram_gib", [3, 4, 6, 8, 11, 12, 16, 24, 80])
def test_a_step_has_four_pictures_on_every_card(fields: dict[str, Any], vram_gib: float) -> None:
    schedule = make_plan_config(vram_gib=vram_gib, **fields).schedule

    assert schedule.batch_size * schedule.gradient_accumulation == 4


def test_on_a_processor_each_picture_is_a_step() -> None:
    schedule = make_plan_config(vram_gib=None).schedule

    assert (schedule.batch_size, schedule.gradient_accumulation) == (1, 1)


def test_a_card_with_much_memory_takes_all_at_once_without_checkpointing() -> None:
    config = make_plan_config(vram_gib=24)

    assert (config.schedule.batch_size, config.memory.gradient_checkpointing) == (4, False)


def test_on_a_processor_only_sdxl_checkpoints() -> None:
    assert make_plan_config(vram_gib=None).memory.gradient_checkpointing is False
    assert make_plan_config(vram_gib=None, family="sdxl").memory.gradient_checkpointing is True


def test_a_medium_card_steps_down_from_the_least_harm_to_the_most() -> None:
    row = [make_plan_config(vram_gib=8, free_gib=free / 10) for free in range(75, 8, -1)]
    bases = ("bfloat16", "int8", "nf4")
    whole = [config for config in row if not config.memory.swapped_blocks]
    harms = [(bases.index(config.memory.base_dtype), -config.dataset.resolution_px) for config in whole]
    sides = [-config.dataset.resolution_px for config in row]

    assert harms == sorted(harms)
    assert sides == sorted(sides)
    assert len(whole) < len(row)
    assert {config.memory.base_dtype for config in row} == set(bases)
    assert {config.memory.gradient_checkpointing for config in row if config.memory.base_dtype == "bfloat16"} == {
        False, True,
    }  # fmt: skip
    assert all(config.memory.gradient_checkpointing for config in row if config.dataset.resolution_px < 512)


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
    whole, split = (
        make_plan_for(vram_gib=12),
        make_plan_for(vram_gib=8, free_gib=5.2, settings={"memory.gradient_checkpointing": False}),
    )

    assert re.search(r"^4 at once, .* needs about [\d.]+ GiB of the 11.5 GiB free$", reason_of_batch(whole))
    assert re.search(
        r"^4 at once would need [\d.]+ GiB of the 5.2 GiB free.*: [12] needs about [\d.]+ GiB of the 5.2 GiB free",
        reason_of_batch(split),
    )
    assert "make one step of 4" in split.by_path["schedule.gradient_accumulation"].reason


def reason_of_batch(plan: Plan) -> str:
    return plan.by_path["schedule.batch_size"].reason


@pytest.mark.parametrize("swapped", [{}, {"memory.swapped_blocks": 0}])
def test_a_base_that_stays_unquantised_waits_in_the_machines_memory_or_is_paid_for_by_the_resolution(
    swapped: dict[str, object],
) -> None:
    settings = {"memory.base_dtype": "bfloat16"} | swapped
    config = make_plan_config(vram_gib=8, free_gib=2.5, settings=settings)

    assert config.memory.base_dtype == "bfloat16"
    assert (config.memory.swapped_blocks > 0) == (not swapped)
    assert (config.dataset.resolution_px == 512) == (not swapped)


@pytest.mark.parametrize(("path", "value"), [("schedule.batch_size", 16), ("memory.gradient_checkpointing", True)])
def test_of_a_choice_the_reason_tells_what_the_rules_would_have_taken(path: str, value: object) -> None:
    free = make_plan_for().by_path[path]
    chosen = make_plan_for(settings={path: value}).by_path[path]

    assert chosen.reason == f"you chose it; the rules would take {shown(free.value)}: {free.reason}"

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from advisor.estimate.step_work import KIND_CALLS, UNPACKED_BYTES, StepWork, step_work
from advisor.families.sdxl import STANDARD
from benchmarks.step_calls import kind_shares, results
from tests.support.factories import make_plan_config


def work(**settings: Any) -> StepWork:
    given = {"schedule.batch_size": 1, "memory.gradient_checkpointing": False} | settings
    return step_work(make_plan_config(vram_gib=48, family="sdxl", settings=given), STANDARD)


def test_a_larger_batch_is_started_as_fast_and_computed_longer() -> None:
    one, four = work(), work(**{"schedule.batch_size": 4})

    assert four.calls == one.calls
    assert four.flops == pytest.approx(4 * one.flops)
    assert four.moved_bytes == pytest.approx(4 * one.moved_bytes)


def test_pictures_one_after_the_other_are_started_each() -> None:
    assert work(**{"schedule.gradient_accumulation": 4}).calls == 4 * work().calls


def test_a_batch_in_parts_is_started_as_often_and_computed_as_long() -> None:
    config = make_plan_config(vram_gib=48, family="sdxl", settings={"schedule.batch_size": 4})
    whole, parts = (step_work(config, STANDARD, batch_parts=number) for number in (1, 2))

    assert (parts.calls, parts.flops) == (2 * whole.calls, whole.flops)
    assert parts.moved_bytes == pytest.approx(whole.moved_bytes, rel=0.01)


def test_checkpointing_starts_half_as_many_again_and_moves_no_less() -> None:
    plain, checkpointed = work(), work(**{"memory.gradient_checkpointing": True})

    assert checkpointed.calls / plain.calls == pytest.approx(1.53, abs=0.01)
    assert checkpointed.moved_bytes == plain.moved_bytes


@pytest.mark.parametrize("kind", ["int8", "nf4"])
@pytest.mark.parametrize(("checkpointing", "times"), [(False, 2), (True, 3)])
def test_a_quantised_base_is_unpacked_for_each_use(kind: Any, checkpointing: bool, times: int) -> None:
    settings = {"memory.gradient_checkpointing": checkpointing}
    packed, whole = work(**settings, **{"memory.base_dtype": kind}), work(**settings)
    unpacked = times * UNPACKED_BYTES[kind] * 2.56e9

    assert packed.calls > whole.calls
    activations = 0.97 * whole.moved_bytes  # packed convolutions keep no input
    assert packed.moved_bytes == pytest.approx(activations + unpacked, rel=0.05)


def test_pictures_that_are_encoded_anew_each_time_are_computed_longer() -> None:
    assert work(**{"memory.cache_latents": False}).flops - work().flops == pytest.approx(4.2e6 * 1024**2)


def test_a_shallower_model_starts_less() -> None:
    shallow = replace(STANDARD, unet=replace(STANDARD.unet, transformer_depth=(0, 2, 4)))
    config = make_plan_config(vram_gib=48, family="sdxl")

    assert step_work(config, shallow).calls < 0.6 * step_work(config, STANDARD).calls


def test_other_kinds_start_as_many_as_were_counted() -> None:
    assert {"lora": 1.0} | kind_shares(results()) == KIND_CALLS

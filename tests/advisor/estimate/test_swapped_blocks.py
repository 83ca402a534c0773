"""Which blocks wait in the machine's memory, and what that frees and takes."""

from __future__ import annotations

import pytest

from advisor.estimate.device_speed import LINK_BYTES_PER_SECOND, Speed
from advisor.estimate.quantised_base import denoiser_bytes
from advisor.estimate.ram import ram_bytes
from advisor.estimate.slowdown import slowdown
from advisor.estimate.step_work import StepWork, step_work
from advisor.estimate.swapped_blocks import (
    absent_at_peak_bytes,
    denoiser_blocks,
    freed_bytes,
    waiting_blocks,
    waiting_bytes,
)
from advisor.estimate.vram import vram_parts
from advisor.families import family
from advisor.families.structure import Structure
from advisor.settings.config import TrainingConfig, with_values
from benchmarks.memory_entries import Entry


def standard(name: str) -> Structure:
    found = family(name).standard
    assert found is not None
    return found


def config_of(name: str, blocks: int, base_dtype: str = "bfloat16") -> TrainingConfig:
    config = Entry(name, 1024, 1024, text="cached", checkpointing=True, base_dtype=base_dtype).config()
    return with_values(config, {"memory.swapped_blocks": blocks})


@pytest.mark.parametrize(("name", "number"), [("sd1", 38), ("sd2", 38), ("sdxl", 87), ("anima", 28), ("z_image", 34)])
def test_blocks_are_those_of_transformers_and_the_residual_ones(name: str, number: int) -> None:
    blocks = denoiser_blocks(name, standard(name))

    assert len(blocks) == number
    assert sum(block.weights for block in blocks) > 0.8 * standard(name).denoiser_parameters


def test_the_largest_wait_first() -> None:
    blocks = denoiser_blocks("sdxl", standard("sdxl"))
    some = waiting_blocks("sdxl", standard("sdxl"), 5)

    assert min(block.weights for block in some) >= max(block.weights for block in set(blocks) - set(some))
    assert len(some) == 5


def test_of_equally_large_ones_some_far_apart_wait() -> None:
    blocks = waiting_blocks("anima", standard("anima"), 4)

    assert [block.path for block in blocks] == [f"transformer.transformer_blocks.{n}" for n in (0, 7, 14, 21)]
    assert len(waiting_blocks("anima", standard("anima"), 1000)) == 28


@pytest.mark.parametrize("base_dtype", ["bfloat16", "int8", "nf4"])
def test_all_that_waits_but_two_blocks_is_not_on_the_card(base_dtype: str) -> None:
    structure = standard("anima")
    memory = config_of("anima", 10, base_dtype).memory
    each = waiting_bytes(memory, "anima", structure) // 10

    assert freed_bytes(memory, "anima", structure) == pytest.approx(8 * each, rel=1e-6)
    assert freed_bytes(config_of("anima", 2, base_dtype).memory, "anima", structure) == 0
    there = vram_parts(config_of("anima", 10, base_dtype), structure)["denoiser"]  # at the peak any two of them
    assert there == denoiser_bytes(memory, "anima", structure) - freed_bytes(memory, "anima", structure)


def test_as_the_backward_pass_begins_a_unets_last_and_small_blocks_are_there() -> None:
    structure, memory = standard("sdxl"), config_of("sdxl", 87).memory
    last = sum(block.weights for block in denoiser_blocks("sdxl", structure)[-2:]) * 2
    largest = sum(sorted(block.weights for block in denoiser_blocks("sdxl", structure))[-2:]) * 2

    assert absent_at_peak_bytes(memory, "sdxl", structure, 10**12) == largest - last > 0
    assert absent_at_peak_bytes(memory, "sdxl", structure, 1000) == 500


@pytest.mark.parametrize("name", ["sd1", "z_image"])
def test_blocks_are_in_the_order_in_which_they_are_computed(name: str) -> None:
    first = {"sd1": "down_blocks.0.resnets.0", "z_image": "transformer.noise_refiner.0"}[name]
    last = {"sd1": "up_blocks.3.attentions.2.transformer_blocks.0", "z_image": "transformer.layers.29"}[name]
    blocks = denoiser_blocks(name, standard(name))

    assert (blocks[0].path, blocks[-1].path) == (first, last)


def test_on_a_processor_nothing_is_freed() -> None:
    config = with_values(config_of("anima", 10), {"memory.preset": "cpu"})

    whole = with_values(config, {"memory.swapped_blocks": 0})
    assert vram_parts(config, standard("anima")) == vram_parts(whole, standard("anima"))


def test_what_waits_is_in_the_machines_memory_while_it_trains() -> None:
    structure = standard("z_image")
    most, none = (
        ram_bytes(config_of("z_image", blocks), structure, num_images=10, on_gpu=True) for blocks in (1000, 0)
    )

    assert most >= none
    assert most > waiting_bytes(config_of("z_image", 1000).memory, "z_image", structure)


def test_each_pass_brings_what_the_one_before_did_not_end_with() -> None:
    structure = standard("anima")
    freed = freed_bytes(config_of("anima", 10).memory, "anima", structure)
    four = with_values(config_of("anima", 10), {"schedule.gradient_accumulation": 4})

    assert step_work(config_of("anima", 0), structure).brought_bytes == 0
    assert step_work(config_of("anima", 10), structure).brought_bytes == 2 * freed
    assert step_work(four, structure).brought_bytes == 8 * freed


def test_copies_are_hidden_behind_the_computing_but_for_a_share_or_are_what_takes_longest() -> None:
    speed = Speed(1e12, None, 0.0, 2.0, "")

    assert speed.seconds(StepWork(1e12, 0, 0, LINK_BYTES_PER_SECOND / 2)) == pytest.approx(1.15)
    assert speed.seconds(StepWork(1e12, 0, 0, 10 * LINK_BYTES_PER_SECOND)) == pytest.approx(10)


def test_on_a_card_of_which_nothing_is_known_it_takes_longer_all_the_same() -> None:
    structure = standard("anima")
    before, after = (step_work(config_of("anima", blocks), structure) for blocks in (0, 20))

    assert slowdown(before, after, None).text == "about 8 % longer (0 to 25 %)"

"""Shares of gradient checkpointing in some blocks."""

from __future__ import annotations

from dataclasses import astuple, replace
from itertools import pairwise

import pytest

from advisor.estimate.checkpointing import ALL, NOTHING, CheckpointedShare, checkpointed_share
from advisor.estimate.flops import step_flops
from advisor.estimate.vram import vram_parts
from advisor.families import family
from advisor.families.structure import Structure
from advisor.settings.config import TrainingConfig, with_values
from benchmarks.memory_entries import Entry


def config_of(name: str, blocks: int | None) -> TrainingConfig:
    """Blocks None: without checkpointing."""
    config = Entry(name, text="cached", checkpointing=blocks is not None).config()
    return with_values(config, {"memory.checkpointed_blocks": blocks or 0})


def standard(name: str) -> Structure:
    found = family(name).standard
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["sd1", "sd2", "sdxl", "anima", "z_image"])
def test_each_block_saves_no_less_and_takes_longer_until_all_are_all(name: str) -> None:
    structure = standard(name)
    shares = [checkpointed_share(config_of(name, blocks), structure) for blocks in range(1, structure.whole_blocks + 1)]

    assert checkpointed_share(config_of(name, None), structure) == NOTHING
    assert checkpointed_share(config_of(name, 0), structure) == shares[-1] == ALL
    for fewer, more in pairwise(shares):
        assert fewer.saved <= more.saved
        assert (fewer.repeated, fewer.calls) < (more.repeated, more.calls)


def test_a_model_of_other_levels_has_shares_between_those_that_were_counted() -> None:
    structure = standard("sdxl")
    unet = replace(structure.unet, block_out_channels=(320, 640), transformer_depth=(0, 2), heads=(5, 10))  # type: ignore[attr-defined]
    smaller = replace(structure, unet=unet)  # type: ignore[type-var]

    found = [checkpointed_share(config_of("sdxl", blocks), smaller) for blocks in range(1, 6)]

    assert all(0 <= value <= 1 for share in found for value in astuple(share))
    assert [share.saved for share in found] == sorted(share.saved for share in found)
    assert found[-1] == ALL


def test_a_transformers_blocks_are_alike_and_the_last_one_is_needed_at_once() -> None:
    assert checkpointed_share(config_of("anima", 7), standard("anima")) == CheckpointedShare(7 / 27, 0.25, 0.25)
    assert checkpointed_share(config_of("anima", 27), standard("anima")).saved == 1


def test_arithmetic_and_memory_lie_between_none_and_all() -> None:
    structure = standard("sdxl")
    plain, some, everything = (config_of("sdxl", blocks) for blocks in (None, 3, 0))

    flops = [step_flops(config, structure) for config in (plain, some, everything)]
    kept = [vram_parts(config, structure)["activations"] for config in (everything, some, plain)]

    assert flops == sorted(set(flops))
    assert kept == sorted(set(kept))

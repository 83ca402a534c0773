"""Gradient checkpointing of some blocks: what it keeps, and that it changes no number."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from advisor.families.anima_structure import AnimaStructure
from advisor.families.z_image_structure import ZImageStructure
from advisor.settings.config import changed
from benchmarks.memory_entries import Entry
from tests.support.tiny import tiny_sd1
from tests.support.tiny_anima import TINY_ANIMA
from tests.support.tiny_z_image import TINY_Z_IMAGE
from tests.trainer.training.test_step import attach, make_batch, make_config
from trainer.models.families.family import BaseModel
from trainer.simulate.step import Simulation
from trainer.training.step import training_loss

BLOCKS = 9
"""Of SD1's U-Net."""


@cache
def loss_and_gradients(blocks: int | None, dtype: torch.dtype) -> tuple[Tensor, list[Tensor | None]]:
    """Of one step; `blocks` None: without checkpointing."""
    base = tiny_sd1(dtype=dtype)
    network = attach(base, dropout=0.2, rank_dropout=0.2)
    network.seed_dropout(3)
    if blocks is not None:
        base.family.enable_gradient_checkpointing(base, text_encoder=True, blocks=blocks)
    loss = training_loss(base, network, make_batch(base), make_config())
    loss.backward()
    return loss.detach(), [parameter.grad for parameter in network.parameters()]


@pytest.mark.parametrize(
    ("blocks", "dtype"), [(1, torch.bfloat16), (4, torch.float32), (BLOCKS - 1, torch.bfloat16), (100, torch.float32)]
)
def test_losses_and_gradients_are_those_of_a_plain_step_to_the_bit(blocks: int, dtype: torch.dtype) -> None:
    wanted_loss, wanted = loss_and_gradients(None, dtype)
    loss, found = loss_and_gradients(blocks, dtype)

    assert torch.equal(loss, wanted_loss)
    assert any(gradient is not None for gradient in wanted)
    for one, other in zip(found, wanted, strict=True):
        assert (one is None) == (other is None)
        assert one is None or other is None or torch.equal(one, other)


def computed_twice(base: BaseModel, blocks: int) -> set[int]:
    """The numbers of the U-Net's blocks, in order, of which something is computed again in the backward pass."""
    unet = base.denoiser
    network = attach(base, text_encoder=False)
    base.family.enable_gradient_checkpointing(base, text_encoder=False, blocks=blocks)
    times = Counter[tuple[int, nn.Module]]()
    for number, block in enumerate((*unet.down_blocks, unet.mid_block, *unet.up_blocks)):
        for part in block.modules():
            part.register_forward_pre_hook(lambda part, _, number=number: times.update([(number, part)]))
    training_loss(base, network, make_batch(base), make_config()).backward()
    return {number for (number, _), count in times.items() if count == 2}


@pytest.mark.parametrize(("blocks", "wanted"), [(1, {0}), (5, {0, 1, 2, 3, 4}), (0, set(range(BLOCKS)))])
def test_the_first_blocks_are_computed_twice(blocks: int, wanted: set[int]) -> None:
    assert computed_twice(tiny_sd1(), blocks) == wanted


@pytest.mark.parametrize(("family", "structure"), [("anima", TINY_ANIMA), ("z_image", TINY_Z_IMAGE)])
def test_a_transformer_keeps_less_with_each_block(family: str, structure: AnimaStructure | ZImageStructure) -> None:
    config = Entry(family, 64, 64, text="cached", checkpointing=True).config()
    structure = replace(structure, denoiser=replace(structure.denoiser, layers=4))  # type: ignore[arg-type]
    kept = [
        Simulation(changed(config, "memory.checkpointed_blocks", blocks), structure, (64, 64)).step()["activations"]
        for blocks in (1, 2, 3)
    ]

    assert kept == sorted(kept, reverse=True)
    assert len(set(kept)) == len(kept)

"""Blocks that wait in the machine's memory: the same numbers to the bit, never more than two of them on the device."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from advisor.estimate.swapped_blocks import denoiser_blocks
from advisor.settings.config import MemoryConfig, NetworkConfig, TrainingConfig, with_values
from benchmarks.memory_entries import Entry
from tests.support.tiny import TINY_SDXL, tiny_base, tiny_sd1
from tests.support.tiny_anima import tiny_anima
from tests.support.tiny_z_image import tiny_z_image
from tests.trainer.training.test_step import OneDevice
from trainer.adapters.network import Network
from trainer.device.mover import Copy, PlainMover
from trainer.device.swapped_blocks import SwappedBlocks, swap_blocks
from trainer.layers.quantised_layers import quantise
from trainer.models.families.family import BaseModel, Conditioning
from trainer.models.families.sdxl import Sdxl

BASES: dict[str, Callable[[], BaseModel]] = {
    "sd1": tiny_sd1,
    "sdxl": partial(tiny_base, Sdxl(), TINY_SDXL),
    "anima": tiny_anima,
    "z_image": tiny_z_image,
}
ALL = 1000


class CountingMover(PlainMover):
    """Counts the copies that are alive, wherever references to them are kept."""

    def __init__(self) -> None:
        self.alive = self.most = self.started = 0

    def start(self, waiting: Tensor, device: torch.device) -> Copy:
        copy = super().start(waiting, device)
        self.alive += 1
        self.started += 1
        self.most = max(self.most, self.alive)
        weakref.finalize(copy.tensor.untyped_storage(), self._gone)
        return copy

    def _gone(self) -> None:
        self.alive -= 1


def made(
    family: str, blocks: int, *, kind: str = "lora", quantised: Any = None, checkpointing: bool = False
) -> tuple[BaseModel, Network, CountingMover, SwappedBlocks | None]:
    base, mover = BASES[family](), CountingMover()
    if quantised is not None:
        quantise(base.denoiser, quantised)
    found = swap_blocks(base.denoiser, base.structure, config_of(family, blocks), mover)
    network = Network.attach(base, NetworkConfig(rank=2, alpha=2.0, kind=kind), text_encoder=False)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(1)
    for adapter in network.layers.values():
        for own in adapter.grown:
            if hasattr(adapter, own):
                torch.nn.init.normal_(adapter.get_parameter(own), std=0.05, generator=generator)
    if checkpointing:
        base.family.enable_gradient_checkpointing(base, text_encoder=False)
    return base, network, mover, found


def config_of(family: str, blocks: int) -> TrainingConfig:
    return with_values(Entry(family, 64, 64, text="cached").config(), {"memory.swapped_blocks": blocks})


def inputs(base: BaseModel) -> tuple[Tensor, Conditioning]:
    generator = torch.Generator().manual_seed(3)
    latents = torch.randn(1, *base.family.latent_shape(base.structure, 64, 64), generator=generator)
    with torch.no_grad():
        return latents, base.family.encode_text(base, base.family.blank_tokens(base.structure, 1))


def answer(base: BaseModel, given: tuple[Tensor, Conditioning] | None = None) -> Tensor:
    latents, text = given or inputs(base)
    return base.family.predict(base, latents, base.middle_time, text)


def step(base: BaseModel, network: Network) -> tuple[Tensor, list[Tensor]]:
    network.zero_grad()
    found = answer(base)
    found.square().mean().backward()
    return found.detach(), [one.grad for one in network.parameters() if one.grad is not None]


def assert_same(one: tuple[Tensor, list[Tensor]], other: tuple[Tensor, list[Tensor]]) -> None:
    assert torch.equal(one[0], other[0])
    assert len(one[1]) == len(other[1]) > 0
    assert all(torch.equal(found, wanted) for found, wanted in zip(one[1], other[1], strict=True))


@pytest.mark.parametrize(
    ("family", "quantised", "checkpointing"),
    [
        ("sd1", None, False), ("sd1", "nf4", True),
        ("sdxl", None, True), ("sdxl", "int8", False),
        ("anima", None, False), ("anima", "int8", True), ("anima", "nf4", False),
        ("z_image", None, True), ("z_image", "nf4", False),
    ],
)  # fmt: skip
def test_answers_and_gradients_are_those_of_a_whole_model_to_the_bit(
    family: str, quantised: Any, checkpointing: bool
) -> None:
    whole, network, _, _ = made(family, 0, quantised=quantised, checkpointing=checkpointing)
    wanted = step(whole, network)

    base, network, mover, _ = made(family, ALL, quantised=quantised, checkpointing=checkpointing)
    for _ in range(3):
        assert_same(step(base, network), wanted)

    assert mover.started > len(denoiser_blocks(family, base.structure))
    assert mover.most <= 2


@pytest.mark.parametrize("kind", ["locon", "dora", "loha", "lokr"])
def test_every_kind_of_adapter_asks_for_the_weights_of_its_layer(kind: str) -> None:
    wanted = step(*made("sd1", 0, kind=kind)[:2])
    base, network, mover, _ = made("sd1", 7, kind=kind)

    assert_same(step(base, network), wanted)
    assert mover.most <= 2


@pytest.mark.parametrize("family", BASES)
def test_from_the_second_step_on_each_block_comes_once_in_each_direction(family: str) -> None:
    base, network, mover, _ = made(family, ALL, checkpointing=True)
    step(base, network)
    step(base, network)
    before = mover.started

    step(base, network)

    # The two that a pass ended with are there for the next one; blocks before the first adapter have no backward pass.
    blocks = len(denoiser_blocks(family, base.structure))
    assert 1.8 * (blocks - 2) <= mover.started - before <= 2 * (blocks - 2)


def test_while_pictures_are_drawn_each_block_comes_once_for_an_answer() -> None:
    base, _, mover, _ = made("z_image", ALL)
    with torch.no_grad():
        first = answer(base)
        answer(base)
        before = mover.started
        assert torch.equal(first, answer(base))

    assert mover.started - before == len(denoiser_blocks("z_image", base.structure))


def test_what_an_unfinished_step_left_behind_is_no_more_than_two_blocks() -> None:
    base, network, mover, found = made("sd1", ALL, checkpointing=True)
    step(base, network)
    loss = answer(base).square().mean()
    del loss
    gc.collect()

    assert found is not None
    assert mover.alive == len(found.here) == 2


def test_a_copy_that_fails_is_tried_again() -> None:
    base, network, mover, _ = made("sd1", ALL)
    wanted = step(base, network)
    start = mover.start

    def fail(waiting: Tensor, device: torch.device) -> Copy:
        raise torch.OutOfMemoryError("no room")

    mover.start = fail  # type: ignore[method-assign]
    with pytest.raises(torch.OutOfMemoryError):
        step(base, network)
    mover.start = start  # type: ignore[method-assign]

    assert_same(step(base, network), wanted)


class OneDeviceButForCopies(OneDevice):
    """Copies alone may go from one device to another."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket is torch.ops.aten._to_copy:
            return func(*args, **(kwargs or {}))
        return super().__torch_dispatch__(func, types, args, kwargs)


@pytest.mark.parametrize("family", ["sd1", "anima"])
def test_everything_that_a_step_computes_with_is_on_its_device(family: str) -> None:
    base, network, mover, _ = made(family, ALL, checkpointing=True)
    latents, text = inputs(base)
    given = latents.to("meta"), text.to(torch.device("meta"))
    for part in (base.denoiser, network):
        part.to("meta")
    with OneDeviceButForCopies(torch.device("meta")):
        answer(base, given).square().mean().backward()

    assert mover.started > 2
    assert all(one.grad is not None for one in network.parameters() if one.requires_grad)


def test_only_what_the_denoiser_has_besides_is_moved_with_it() -> None:
    base = made("anima", ALL)[0]
    blocks = denoiser_blocks("anima", base.structure)
    whole = made("anima", 0)[0]

    def size(one: BaseModel) -> int:
        return sum(part.numel() for part in (*one.denoiser.parameters(), *one.denoiser.buffers()))

    assert size(whole) - size(base) == sum(block.weights for block in blocks)


def test_nothing_waits_where_the_device_shares_the_machines_memory() -> None:
    base = tiny_sd1()

    assert swap_blocks(base.denoiser, base.structure, config_of("sd1", 5), None) is None
    assert MemoryConfig().swapped_blocks == 0

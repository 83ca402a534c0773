"""Blocks of a denoiser whose weights wait in the machine's memory and are on the device only while they are computed.

A layer of such a block asks here for its weight whenever it computes with it, forward and backward: autograd saves the
way to the weight (`FrozenWeight.unpack`), never the weight. So whatever asks for a block has it, in whatever order,
with gradient checkpointing or without, and two blocks at most are on the device: the one that is at work, and the one
that followed upon it the last time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod

import torch
from torch import Tensor, nn

from advisor.estimate.swapped_blocks import waiting_blocks
from advisor.families.structure import Structure
from advisor.settings.config import TrainingConfig
from trainer.device.mover import Copy, Mover
from trainer.layers.frozen_weight import FrozenWeight, frozen_weight
from trainer.layers.quantised_layers import keep_as

ALIGNED_BYTES = 256
"""Each tensor of a block begins at a multiple of this, as tensors of their own do."""


@dataclass(frozen=True)
class _Place:
    """Where a tensor lies in its block's bytes."""

    start: int
    shape: torch.Size
    dtype: torch.dtype

    @property
    def num_bytes(self) -> int:
        return prod(self.shape) * self.dtype.itemsize

    def of(self, block: Tensor) -> Tensor:
        """The tensor, of the bytes of its block."""
        return block[self.start : self.start + self.num_bytes].view(self.dtype).view(self.shape)


@dataclass(frozen=True)
class _Block:
    waiting: Tensor
    """All of its weights, uint8 [N], in the machine's memory."""
    places: tuple[_Place, ...]


@dataclass(frozen=True)
class _Here:
    """A block on the device, or on its way there."""

    copy: Copy
    tensors: tuple[Tensor, ...]


class SwappedBlocks:
    """The blocks of one denoiser that wait, by number."""

    def __init__(self, denoiser: nn.Module, blocks: Sequence[Sequence[str]], mover: Mover) -> None:
        """Take these weights out of the denoiser, one block after the other; its layers ask for them from now on.

        Args:
            blocks: the paths of each block's linear layers and convolutions, which have no adapters yet.
        """
        self._mover, self._blocks = mover, list[_Block]()
        self._here: dict[int, _Here] = {}
        self._device: torch.device | None = None
        self._before: int | None = None
        self._now: int | None = None
        self._followed: dict[tuple[int | None, int | None], int] = {}
        """What came after two blocks that came one after the other, the last time."""
        for number, paths in enumerate(blocks):
            self._blocks.append(self._taken(denoiser, number, paths))

    @property
    def here(self) -> frozenset[int]:
        """The numbers of the blocks that are on the device, or on their way there."""
        return frozenset(self._here)

    @property
    def waiting_bytes(self) -> int:
        """What they take of the machine's memory."""
        return sum(block.waiting.numel() for block in self._blocks)

    def tensors(self, number: int, device: torch.device) -> tuple[Tensor, ...]:
        """A block's tensors on the device, for what is computed before another block is asked for."""
        if device != self._device:
            self._keep(frozenset())
            self._device = device
        if number != self._now or number not in self._here:
            self._turn_to(number, device)
        return self._here[number].tensors

    def _turn_to(self, number: int, device: torch.device) -> None:
        """Bring a block, drop those that are not needed, and let the one come that is likely to follow."""
        before, now = (self._before, self._now) if number == self._now else (self._now, number)
        wanted = (number, self._followed.get((before, now), number))
        self._keep(frozenset(wanted))
        for one in wanted:
            if one not in self._here:
                block = self._blocks[one]
                copy = self._mover.start(block.waiting, device)
                self._here[one] = _Here(copy, tuple(place.of(copy.tensor) for place in block.places))
        self._mover.finish(self._here[number].copy)
        if number != self._now:
            self._followed[self._before, self._now] = number
            self._before, self._now = before, now

    def _keep(self, numbers: frozenset[int]) -> None:
        """Drop all others."""
        for other in self.here - numbers:
            # Nobody may have asked for it in the end: its memory is another's only once the copying is over.
            self._mover.finish(self._here[other].copy)
            del self._here[other]

    def _taken(self, denoiser: nn.Module, number: int, paths: Sequence[str]) -> _Block:
        kept = [frozen_weight(denoiser.get_submodule(path)) for path in paths]
        places, size = list[_Place](), 0
        for tensor in (tensor for weight in kept for tensor in weight.tensors):
            places.append(_Place(size, tensor.shape, tensor.dtype))
            size += -(-places[-1].num_bytes // ALIGNED_BYTES) * ALIGNED_BYTES
        block = _Block(self._mover.room(size), tuple(places))
        start = 0
        for path, weight in zip(paths, kept, strict=True):
            stop = start + len(weight.tensors)
            for place, tensor in zip(places[start:stop], weight.tensors, strict=True):
                place.of(block.waiting).copy_(tensor.detach())
            unpack = partial(self._unpacked, number, slice(start, stop), weight.unpack)
            mark = weight.tensors[0].detach().new_empty(0)
            keep_as(denoiser, path, FrozenWeight(weight.shape, (mark,), unpack))
            start = stop
        return block

    def _unpacked(self, number: int, own: slice, unpack: Callable[..., Tensor], mark: Tensor) -> Tensor:
        """A layer's weight, where the layer is: there is its empty mark, which moves with it."""
        return unpack(*self.tensors(number, mark.device)[own])


def swap_blocks(
    denoiser: nn.Module, structure: Structure, config: TrainingConfig, mover: Mover | None
) -> SwappedBlocks | None:
    """Let as many of the denoiser's blocks as the settings say wait in the machine's memory from now on.

    Args:
        denoiser: without adapters, and still in the machine's memory.
        mover: brings them to the device; None: that shares the machine's memory, and they stay where they are.
    """
    if not config.memory.swapped_blocks or mover is None:
        return None
    blocks = waiting_blocks(config.model.family, structure, config.memory.swapped_blocks)
    return SwappedBlocks(denoiser, [[layer.path for layer in block.layers] for block in blocks], mover)

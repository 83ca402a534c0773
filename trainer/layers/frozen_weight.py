"""A layer's weight as it is kept: whole, or in fewer bits and unpacked only while it is at work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class FrozenWeight:
    """What is kept of a weight that is not trained, and how the weight is made of it.

    An operation saves `tensors` for its backward pass and remembers `unpack`; so it never keeps the unpacked weight.
    """

    shape: torch.Size
    """The whole weight's: [O, I] or [O, I, k, k]."""
    tensors: tuple[Tensor, ...]
    unpack: Callable[..., Tensor]
    """The whole weight in the compute dtype, of these tensors."""

    @property
    def device(self) -> torch.device:
        """Where it is kept."""
        return self.tensors[0].device

    def whole(self) -> Tensor:
        """The weight in the compute dtype; new memory where it is packed."""
        return self.unpack(*self.tensors)


def frozen_weight(layer: nn.Module) -> FrozenWeight:
    """A linear layer's or a convolution's."""
    packed = getattr(layer, "frozen_weight", None)
    if isinstance(packed, FrozenWeight):
        return packed
    weight = layer.weight
    assert isinstance(weight, Tensor), layer
    return FrozenWeight(weight.shape, (weight,), _itself)


def _itself(weight: Tensor) -> Tensor:
    return weight

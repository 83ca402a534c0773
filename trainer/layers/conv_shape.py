"""Convolutions as our own operations call them: without dilation or groups, as all of a denoiser's are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class ConvShape:
    """How a convolution walks over its input."""

    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, layer: nn.Conv2d) -> ConvShape:
        """A layer's."""
        return cls(_pair(layer.stride), _pair(layer.padding))


def conv_backward(
    grad: Tensor, x: Tensor, weight: Tensor, shape: ConvShape, wanted: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients of a convolution's input and weight, each if wanted."""
    input_grad, weight_grad, _ = torch.ops.aten.convolution_backward(
        grad, x, weight, None, shape.stride, shape.padding, (1, 1), False, (0, 0), 1, (*wanted, False)
    )
    return input_grad, weight_grad


def _pair(value: Any) -> tuple[int, int]:
    """Stride or padding of a convolution; a padding given in words is none of ours."""
    assert not isinstance(value, str), value
    first, second = value
    return first, second

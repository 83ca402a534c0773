"""Adapters that are a change of the layer's weight: it is made anew in the backward pass and never kept.

Kept between the passes are the layer's input and the small factors; while a layer is at work there are its change and,
in the backward pass, the change's gradient: each as large as the layer's weight and in its dtype. The change is applied
by a multiplication of its own: added to the weight first, most of it would be rounded off in half precision.

Letters: B samples, I inputs, O outputs, R rank, k a convolution's side.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from trainer.adapters.adapter import Adapter, flat
from trainer.layers.conv_shape import ConvShape, conv_backward
from trainer.layers.frozen_weight import FrozenWeight, frozen_weight


class WeightAdapter(Adapter):
    """`x (W + change)' + b` for a layer with W [O, I] or [O, I, k, k]."""

    @abstractmethod
    def change(self, weight: Tensor, factors: Mapping[str, Tensor], rows: Tensor | None) -> Tensor:
        """What is added to the layer's weight, in its shape and dtype, at full strength.

        Args:
            factors: the adapter's tensors by their own names.
            rows: 0 for the outputs that are left out of the product, else 1; [O, 1].
        """

    def forward(self, x: Tensor) -> Tensor:
        """What layer and adapter give for `x` [B, ..., I] or [B, I, h, w]."""
        if self.is_off:
            return self.layer_alone(x)
        layer, weight = self.layer, frozen_weight(self.layer)
        own = tuple(name for name, _ in self.named_parameters())
        shape = ConvShape.of(layer) if isinstance(layer, nn.Conv2d) else None
        recipe = _Recipe(self, own, self._rows(weight.shape[0], x), self.multiplier, shape)
        factors = [self._factor(name, x.dtype) for name in own]
        return _Changed.apply(x, weight, layer.bias, recipe, *factors)  # type: ignore[no-untyped-call, no-any-return]

    def _factor(self, own: str, dtype: torch.dtype) -> Tensor:
        """A step's copy of a tensor where there is one, else the tensor."""
        low = self.copies.get(own)
        found: Tensor = getattr(self, own) if low is None or low.dtype != dtype else low
        return found

    def _rows(self, count: int, x: Tensor) -> Tensor | None:
        if not self.training or self.dropouts.ranks == 0:
            return None
        drawn = torch.rand(count, 1, generator=self.rng(x.device), device=x.device)
        return (drawn >= self.dropouts.ranks).to(x.dtype)


@dataclass(frozen=True)
class _Recipe:
    """How a change is made, the same way in both passes."""

    adapter: WeightAdapter
    names: tuple[str, ...]
    rows: Tensor | None
    multiplier: float
    shape: ConvShape | None
    """Of a convolution; None: a linear layer."""

    def change(self, weight: Tensor, factors: tuple[Tensor, ...]) -> Tensor:
        named = dict(zip(self.names, factors, strict=True))
        full = self.adapter.change(weight, named, self.rows)
        return full if self.multiplier == 1 else full * self.multiplier

    def applied(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        if self.shape is None:
            return functional.linear(x, weight, bias)
        return functional.conv2d(x, weight, bias, self.shape.stride, self.shape.padding)

    def input_grad(self, grad: Tensor, x: Tensor, weight: Tensor) -> Tensor | None:
        if self.shape is None:
            return grad @ weight
        return conv_backward(grad, x, weight, self.shape, (True, False))[0]

    def weight_grad(self, grad: Tensor, x: Tensor, weight: Tensor) -> Tensor | None:
        if self.shape is None:
            return flat(grad).t() @ flat(x)
        return conv_backward(grad, x, weight, self.shape, (False, True))[1]


class _Changed(torch.autograd.Function):
    """A frozen layer with a change of its weight, made of trained factors."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: FrozenWeight, bias: Tensor | None, recipe: _Recipe, *factors: Tensor
    ) -> Tensor:
        ctx.save_for_backward(x, *factors, *weight.tensors)
        ctx.recipe, ctx.unpack = recipe, weight.unpack
        whole = weight.whole()
        out = recipe.applied(x, whole, bias)
        return out.add_(recipe.applied(x, recipe.change(whole, factors)))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        recipe, wanted = ctx.recipe, ctx.needs_input_grad[4:]
        x, *saved = ctx.saved_tensors
        weight = ctx.unpack(*saved[len(wanted) :])
        factors = tuple(
            factor.detach().requires_grad_(want) for factor, want in zip(saved[: len(wanted)], wanted, strict=True)
        )
        with torch.enable_grad():
            change = recipe.change(weight, factors)
        x_grad = recipe.input_grad(grad, x, weight + change.detach()) if ctx.needs_input_grad[0] else None
        trained = [factor for factor in factors if factor.requires_grad]
        found = torch.autograd.grad(change, trained, recipe.weight_grad(grad, x, weight)) if trained else ()
        grads = iter(found)
        return x_grad, None, None, None, *(next(grads) if want else None for want in wanted)

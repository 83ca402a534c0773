"""LoRA and LoCon: a layer with its adapter, as one operation that keeps the layer's input and the rank-wide product.

The adapter's weights are float32 masters. A training step casts them once for all adapters, alpha / rank in `down`
(`ComputeCopies`); elsewhere they are cast to the input's dtype inside.

Letters: B samples, I inputs, O outputs, R rank, T whatever else, h and w height and width.
LoRA: Hu et al. 2021, section 4.1: arxiv.org/abs/2106.09685.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from trainer.adapters.adapter import Adapter, flat, product_square, uniform
from trainer.layers.conv_shape import ConvShape, conv_backward
from trainer.layers.frozen_weight import FrozenWeight, frozen_weight


class LoraLayer(Adapter):
    """An adapter for one layer: `up(down(x)) * alpha / rank` is added to what the layer gives."""

    names = {"down": "lora_down.weight", "up": "lora_up.weight"}  # noqa: RUF012
    grown = ("up",)
    copied = ("down", "up")
    # The smaller values are those of `up`, near the least that float16 has; its gradients are the larger ones.
    folded = "down"
    down: nn.Parameter
    up: nn.Parameter

    def first_values(self, own: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Uniform values for `down`, zeros for `up`."""
        return torch.zeros(shape) if own in self.grown else uniform(shape, generator)

    @torch.no_grad()
    def norm(self) -> Tensor:
        """The Frobenius norm of `up down * alpha / rank`."""
        return product_square(self.up.flatten(1), self.down.flatten(1)).clamp(min=0).sqrt() * self.scale

    def forward(self, x: Tensor) -> Tensor:
        """What layer and adapter give for `x` [B, ..., I] or [B, I, h, w]."""
        if self.is_off:
            return self.layer_alone(x)
        layer, weight = self.layer, frozen_weight(self.layer)
        down, up, scale = self._factors(x)
        mask = self._mask(x) if self.training and self.dropouts.any else None
        if isinstance(layer, nn.Conv2d):
            shape = ConvShape.of(layer)
            return _LoraConv.apply(x, weight, layer.bias, down, up, mask, scale, shape)  # type: ignore[no-untyped-call, no-any-return]
        return _LoraLinear.apply(x, weight, layer.bias, down, up, mask, scale)  # type: ignore[no-untyped-call, no-any-return]

    def _factors(self, x: Tensor) -> tuple[Tensor, Tensor, float]:
        """Down, up and what their product is multiplied by: a step's copies where there are any, else the masters."""
        down = self.copies.get("down")
        if down is not None and down.dtype == x.dtype:
            return down, self.copies["up"], 1.0
        return self.down, self.up, self.multiplier * self.scale

    def _mask(self, x: Tensor) -> Tensor | None:
        """What the rank-wide intermediate is multiplied by; drawn for the whole batch from the step's seed."""
        if self.dropouts.inner == 0 and self.dropouts.ranks == 0:
            return None
        shape, generator = self._inner_shape(x), self.rng(x.device)
        shape[0], rows = (shape[0], slice(None)) if self.rows is None else self.rows.of_axis(shape[0])
        mask = torch.ones((), dtype=x.dtype, device=x.device)
        if self.dropouts.inner > 0:
            mask = mask * _kept(shape, self.dropouts.inner, generator, x)[rows]
        if self.dropouts.ranks > 0:
            rank_axis = 1 if isinstance(self.layer, nn.Conv2d) else len(shape) - 1
            per_sample = [size if axis in (0, rank_axis) else 1 for axis, size in enumerate(shape)]
            mask = mask * _kept(per_sample, self.dropouts.ranks, generator, x)[rows]
        return mask

    def _inner_shape(self, x: Tensor) -> list[int]:
        if not isinstance(self.layer, nn.Conv2d):
            return [*x.shape[:-1], self.rank]
        shape = ConvShape.of(self.layer)
        sides = [
            (side + 2 * pad - size) // step + 1
            for side, pad, size, step in zip(
                x.shape[2:], shape.padding, self.layer.kernel_size, shape.stride, strict=True
            )
        ]
        return [x.shape[0], self.rank, *sides]


class _LoraLinear(torch.autograd.Function):
    """x W' + b + s ((x D') * mask) U' for x [..., I], W [O, I], D [R, I], U [O, R]; W and b are frozen."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: FrozenWeight, bias: Tensor | None, down: Tensor, up: Tensor,
        mask: Tensor | None, scale: float,
    ) -> Tensor:  # fmt: skip
        inner = _masked(functional.linear(x, down.to(x.dtype)), mask)
        ctx.save_for_backward(x, inner, down, up, mask, *weight.tensors)
        ctx.scale, ctx.unpack = scale, weight.unpack
        out = functional.linear(x, weight.whole(), bias)
        flat(out).addmm_(flat(inner), up.to(x.dtype).t(), alpha=scale)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, inner, down, up, mask, *kept = ctx.saved_tensors
        flat_grad = flat(grad)
        inner_grad = _scaled_in_place(flat_grad @ up.to(x.dtype), ctx.scale)
        if mask is not None:
            inner_grad = flat(inner_grad.view(inner.shape) * mask)
        x_grad = down_grad = up_grad = None
        if ctx.needs_input_grad[0]:
            x_grad = (flat_grad @ ctx.unpack(*kept)).addmm_(inner_grad, down.to(x.dtype)).view(x.shape)
        if ctx.needs_input_grad[3]:
            down_grad = (inner_grad.t() @ flat(x)).to(down.dtype)
        if ctx.needs_input_grad[4]:
            up_grad = (flat_grad.t() @ flat(_scaled(inner, ctx.scale))).to(up.dtype)
        return x_grad, None, None, down_grad, up_grad, None, None


class _LoraConv(torch.autograd.Function):
    """The same for x [B, I, h, w] and convolutions W [O, I, k, k], D [R, I, k, k], U [O, R, 1, 1]."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: FrozenWeight, bias: Tensor | None, down: Tensor, up: Tensor,
        mask: Tensor | None, scale: float, shape: ConvShape,
    ) -> Tensor:  # fmt: skip
        inner = _masked(functional.conv2d(x, down.to(x.dtype), None, shape.stride, shape.padding), mask)
        ctx.save_for_backward(x, inner, down, up, mask, *weight.tensors)
        ctx.scale, ctx.shape, ctx.unpack = scale, shape, weight.unpack
        out = functional.conv2d(x, weight.whole(), bias, shape.stride, shape.padding)
        return out.add_(functional.conv2d(inner, up.to(x.dtype)), alpha=scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, inner, down, up, mask, *kept = ctx.saved_tensors
        low_down, low_up = down.to(x.dtype), up.to(x.dtype)
        scaled = _scaled(grad, ctx.scale)
        need_x, need_down, need_up = (ctx.needs_input_grad[index] for index in (0, 3, 4))
        up_grad: Tensor | None = None
        if need_up:
            up_grad = conv_backward(scaled, inner, low_up, ConvShape(), (False, True))[1]
        inner_grad = _masked(functional.conv2d(scaled, low_up.transpose(0, 1)), mask)
        x_grad, down_grad = conv_backward(inner_grad, x, low_down, ctx.shape, (need_x, need_down))
        if x_grad is not None:
            x_grad = x_grad.add_(conv_backward(grad, x, ctx.unpack(*kept), ctx.shape, (True, False))[0])  # type: ignore[arg-type]
        return (
            x_grad, None, None, _cast(down_grad, down.dtype), _cast(up_grad, up.dtype), None, None, None
        )  # fmt: skip


def _masked(inner: Tensor, mask: Tensor | None) -> Tensor:
    return inner if mask is None else inner * mask


def _scaled(tensor: Tensor, scale: float) -> Tensor:
    return tensor if scale == 1 else tensor * scale


def _scaled_in_place(tensor: Tensor, scale: float) -> Tensor:
    return tensor if scale == 1 else tensor.mul_(scale)


def _cast(tensor: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    return None if tensor is None else tensor.to(dtype)


def _kept(shape: list[int], share: float, generator: torch.Generator, like: Tensor) -> Tensor:
    """0 for the share that is left out and 1 / (1 - share) for the rest; a share of 1 keeps nothing."""
    keep = torch.rand(shape, generator=generator, device=like.device) >= share
    return keep.to(like.dtype) / max(1 - share, torch.finfo(torch.float32).eps)

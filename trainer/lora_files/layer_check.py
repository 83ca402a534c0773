"""Whether a layer's adapter in a LoRA file adds what the trained one in memory adds, for inputs drawn at random.

Each layer is compared for itself, as a copy in float32 with its adapter attached, whatever the base model computes in:
in a whole network's answer in bfloat16 a wrong layer is lost among what rounding does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isnan
from typing import Any

import torch
from torch import Tensor, nn

from trainer.adapters.adapter import Layer, attached_to
from trainer.layers.frozen_weight import frozen_weight
from trainer.lora_files.weight_change import Tensors, added, zeroed

SAMPLES = 4
"""Inputs drawn for each layer: what is wrong shows in nearly every one."""
ROUNDED_TWICE = 4
"""Rounding two factors moves their product by less than so many times the file's precision."""
COMPUTED = 64 * torch.finfo(torch.float32).eps
"""How far two ways of computing a layer in float32 may be apart."""

CONVOLUTION = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups")


@dataclass(frozen=True)
class LayerCheck:
    """How far a layer with the file is from the trained one; lengths of differences relative to its answer's length."""

    difference: float
    tolerance: float
    """What rounding to the file's precision allows for that."""
    zero_change: float
    """How much the layer's adapter changes its answer with its `up` set to zero."""

    @property
    def share(self) -> float:
        """The difference as a share of what is allowed; what is no number is beyond all."""
        share = self.difference / self.tolerance
        return float("inf") if isnan(share) else share


@torch.no_grad()
def check_layer(module: Layer, tensors: Tensors | None, saved_as: torch.dtype) -> LayerCheck:
    """Compare what is attached to a layer with what a file has for it.

    Args:
        module: in the base model.
        tensors: the file's, which fit it; None: it has none.
        saved_as: what the file rounds to.
    """
    layer, adapter = _in_float32(module), attached_to(module)
    x = _samples(layer)
    plain = type(layer).forward(layer, x)  # type: ignore[arg-type]
    trained, told, of_zeros = plain, torch.zeros_like(plain), torch.zeros_like(plain)
    if adapter is not None:
        with adapter.on(layer):
            trained = adapter(x)
    if tensors is not None:
        told, of_zeros = added(tensors, layer, x), added(zeroed(tensors, layer.weight), layer, x)
    size = torch.maximum(plain.norm(), trained.norm()).clamp(min=1e-30)
    change = trained - plain
    difference, allowed, zero = (torch.stack([(change - told).norm(), change.norm(), of_zeros.norm()]) / size).tolist()
    return LayerCheck(difference, ROUNDED_TWICE * torch.finfo(saved_as).eps * allowed + COMPUTED, zero)


def worst_of(checks: Iterable[LayerCheck]) -> LayerCheck:
    """The largest difference by what is allowed for it, and of all zero changes the largest; without layers none."""
    found = list(checks) or [LayerCheck(0.0, COMPUTED, 0.0)]
    worst = max(found, key=lambda one: one.share)
    zeros = [one.zero_change for one in found]
    return LayerCheck(worst.difference, worst.tolerance, next((one for one in zeros if isnan(one)), max(zeros)))


def _in_float32(module: Layer) -> Layer:
    """A copy of the layer; what is float32 already is not copied."""
    weight, bias = frozen_weight(module).whole().float(), module.bias
    with torch.device("meta"):
        layer = _like(module)
    layer.weight = nn.Parameter(weight, requires_grad=False)
    layer.bias = None if bias is None else nn.Parameter(bias.float(), requires_grad=False)
    return layer


def _like(module: Layer) -> Layer:
    if isinstance(module, nn.Linear):
        return nn.Linear(module.in_features, module.out_features, bias=False)
    measures: dict[str, Any] = {name: getattr(module, name) for name in CONVOLUTION}
    return nn.Conv2d(**measures, bias=False)


def _samples(layer: Layer) -> Tensor:
    """Inputs on the layer's device, [B, I], or [1, I, h, w] with so many places that a kernel's sides fit twice."""
    rng = torch.Generator("cpu").manual_seed(0)
    if isinstance(layer, nn.Linear):
        x = torch.randn(SAMPLES, layer.in_features, generator=rng)
    else:
        sides = [2 * side for side in layer.kernel_size]
        x = torch.randn(1, layer.in_channels, *sides, generator=rng)
    return x.to(layer.weight.device)

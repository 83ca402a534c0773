"""Layers for adapters to be tried on."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from advisor.adapters.layout import AdapterPlan, adapter_shapes
from advisor.checkpoints.dora_axis import DoraAxis
from advisor.families.structure import LoraTarget
from advisor.settings.config import AdapterKind, NetworkConfig


def plan_for(
    layer: nn.Linear | nn.Conv2d,
    *,
    rank: int,
    alpha: float,
    kind: AdapterKind = "lora",
    factor: int = -1,
    dora_axis: DoraAxis = "input",
) -> AdapterPlan:
    """The plan of an adapter for one layer."""
    kernel = layer.kernel_size[0] if isinstance(layer, nn.Conv2d) else 0
    target = LoraTarget("layer", "unet", "layer", layer.weight.shape[1], layer.weight.shape[0], kernel)
    network = NetworkConfig(kind=kind, factor=factor, dora_axis=dora_axis)
    return AdapterPlan(target, rank, alpha, adapter_shapes(target, network, rank))


def a_layer(name: str, dtype: torch.dtype = torch.float32) -> nn.Linear | nn.Conv2d:
    """`linear`, `conv1`, `conv3` or `strided`: 6 inputs and 8 outputs, frozen."""
    torch.manual_seed(0)
    if name == "linear":
        return nn.Linear(6, 8, dtype=dtype).requires_grad_(False)
    kernel, stride = (1, 1) if name == "conv1" else (3, 2 if name == "strided" else 1)
    return nn.Conv2d(6, 8, kernel, stride=stride, padding=kernel // 2, dtype=dtype).requires_grad_(False)


def an_input(layer: nn.Module, dtype: torch.dtype = torch.float32) -> Tensor:
    """Something for the layer to work on."""
    shape = (2, 6, 6, 4) if isinstance(layer, nn.Conv2d) else (2, 5, 6)
    return torch.randn(shape, generator=torch.Generator().manual_seed(3)).to(dtype).requires_grad_()

"""Time and kept memory of one layer with each kind of adapter, beside lycoris-lora's where that is installed.

Run: python -m benchmarks.adapter_kinds
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from copy import deepcopy
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from advisor.adapters.layout import AdapterPlan, adapter_shapes
from advisor.families.structure import LoraTarget
from advisor.settings.config import AdapterKind, NetworkConfig
from advisor.units import MIB
from trainer.adapters import ADAPTERS, Dropouts

INPUTS, OUTPUTS, TOKENS, ALPHA, ROUNDS = 640, 5120, 1024, 8.0, 9
RANKS: dict[AdapterKind, int] = {"lora": 16, "loha": 16, "lokr": 4, "dora": 16}
LYCORIS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "loha": ("loha", "LohaModule", {}),
    "lokr": ("lokr", "LokrModule", {"factor": -1}),
    "dora": ("locon", "LoConModule", {"weight_decompose": True}),
}


def main() -> None:
    """Print a line for each kind and program."""
    torch.set_num_threads(1)
    for kind, rank in RANKS.items():
        layer = nn.Linear(INPUTS, OUTPUTS).requires_grad_(False)
        twin = deepcopy(layer)
        target = LoraTarget("layer", "unet", "layer", INPUTS, OUTPUTS)
        plan = AdapterPlan(target, rank, ALPHA, adapter_shapes(target, NetworkConfig(kind=kind), rank))
        adapter = ADAPTERS[kind](layer, plan, Dropouts(), torch.Generator().manual_seed(0))
        adapter.attach()
        _tell(f"{kind} ours", layer, layer, list(adapter.parameters()))
        if kind in LYCORIS and find_spec("lycoris") is not None:
            module, name, more = LYCORIS[kind]
            other = getattr(import_module(f"lycoris.modules.{module}"), name)("layer", twin, 1.0, rank, ALPHA, **more)
            other.apply_to()
            _tell(f"{kind} lycoris-lora", twin, twin, list(other.parameters()))


def _tell(name: str, function: Callable[[Tensor], Tensor], layer: nn.Linear, factors: list[nn.Parameter]) -> None:
    x = torch.randn(1, TOKENS, INPUTS, requires_grad=True)
    needed = {tensor.untyped_storage().data_ptr() for tensor in (x, layer.weight, layer.bias, *factors)}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        place = tensor.untyped_storage().data_ptr()
        if place not in needed:
            kept[place] = tensor
        return tensor.detach()  # the tensor itself would keep its own graph alive

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        function(x)
    seconds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        function(x).sum().backward()
        seconds.append(time.process_time() - start)
    kept_bytes = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    print(f"{name:20} {kept_bytes / MIB:6.1f} MiB kept  {statistics.median(seconds):.3f} s forward and backward")


if __name__ == "__main__":
    main()

"""What unpacking costs, in layers of SD1.5's and SDXL's sizes: `python -m benchmarks.quantised_layers`.

The least processor time of several runs there and back, whole and packed in turn, in float32 on one thread.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from advisor.settings.config import QUANTISED, QuantisedDtype
from trainer.layers.quantised_layers import quantise

ROUNDS = 12


def layers() -> Iterator[tuple[str, nn.Module, Tensor]]:
    """A name, the layer and its input: at the sizes that most of a step's time goes to."""
    yield "SD1.5 linear 640 x 640, 1,024 tokens", nn.Linear(640, 640), torch.randn(1, 1024, 640)
    yield "SDXL linear 1280 x 1280, 1,024 tokens", nn.Linear(1280, 1280), torch.randn(1, 1024, 1280)
    yield "SD1.5 convolution 320, 64 x 64", nn.Conv2d(320, 320, 3, padding=1), torch.randn(1, 320, 64, 64)
    yield "SDXL convolution 1280, 32 x 32", nn.Conv2d(1280, 1280, 3, padding=1), torch.randn(1, 1280, 32, 32)


def seconds(layer: nn.Module, x: Tensor) -> float:
    """Of the processor, for one pass there and back."""
    x = x.detach().requires_grad_()
    start = time.process_time()
    out = layer(x)
    out.backward(torch.ones_like(out))
    return time.process_time() - start


def packed(layer: nn.Module, kind: QuantisedDtype) -> nn.Module:
    """The same layer in fewer bits."""
    holder = nn.ModuleDict({"layer": layer})
    quantise(holder, kind)
    return holder["layer"]


def main() -> None:
    """Print a table."""
    torch.set_num_threads(1)
    for name, layer, x in layers():
        layer.requires_grad_(False)
        ways = {"whole": layer} | {kind: packed(layer, kind) for kind in QUANTISED}
        least = dict.fromkeys(ways, float("inf"))
        for _ in range(ROUNDS):
            for way, one in ways.items():
                least[way] = min(least[way], seconds(one, x))
        shares = ", ".join(f"{kind} {least[kind] / least['whole'] - 1:+.0%}" for kind in QUANTISED)
        print(f"{name}: {least['whole'] * 1e3:.1f} ms, {shares}", flush=True)


if __name__ == "__main__":
    main()

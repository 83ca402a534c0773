"""The small tagger: its network in torch, and the same as an ONNX graph of the form of the WD14 taggers.

Letters: n pictures, t tags.
"""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from benchmarks.demo_tagger.onnx_writer import Value, model, node
from benchmarks.demo_tagger.world import POOLED_PX, SQUARE_PX

WIDTHS = (3, 16, 32, 48, 64)
LAST_WIDTH = 16
STRIDE = 2

Weight = npt.NDArray[np.float16]


class SmallTagger(nn.Module):
    """Five convolutions and a layer that sees where things are."""

    def __init__(self, num_tags: int) -> None:
        """Random weights."""
        super().__init__()
        pairs = pairwise(WIDTHS)
        layers = [_layer(inner, outer, 5 if inner == WIDTHS[0] else 3, STRIDE) for inner, outer in pairs]
        self.layers = nn.ModuleList([*layers, _layer(WIDTHS[-1], LAST_WIDTH, 1, 1)])
        side = POOLED_PX // STRIDE ** (len(WIDTHS) - 1)
        self.head = nn.Linear(LAST_WIDTH * side * side, num_tags)

    def forward(self, pooled: Tensor) -> Tensor:
        """Logits [n, t] of [n, 3, 112, 112] from 0 to 1."""
        found = pooled - 0.5
        for layer in self.layers:
            found = layer(found).relu()
        logits: Tensor = self.head(found.flatten(1))
        return logits


def _layer(inner: int, outer: int, side: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inner, outer, side, stride, side // 2, bias=False), nn.BatchNorm2d(outer))


def onnx_of(network: SmallTagger) -> bytes:
    """The network as an ONNX file: [n, 448, 448, 3] of blue, green and red from 0 to 255 in, shares [n, t] out.

    Weights are kept in half precision and computed in single.
    """
    weights: dict[str, Weight] = {"scale": np.array(1 / 255, np.float16), "middle": np.array(0.5, np.float16)}
    nodes = [
        node("Transpose", ["input"], ["channels"], perm=[0, 3, 1, 2]),
        node("AveragePool", ["channels"], ["pooled"], kernel_shape=[4, 4], strides=[4, 4]),
        _single("scale"),
        _single("middle"),
        node("Mul", ["pooled", "scale_single"], ["scaled"]),
        node("Sub", ["scaled", "middle_single"], ["found0"]),
    ]
    for index, layer in enumerate(network.layers):
        convolution, kernel, bias = _folded(layer)
        weights |= {f"kernel{index}": kernel, f"bias{index}": bias}
        side, stride = convolution.kernel_size[0], convolution.stride[0]
        names = [f"found{index}", f"kernel{index}_single", f"bias{index}_single"]
        nodes += [_single(f"kernel{index}"), _single(f"bias{index}")]
        kernel_shape, strides, pads = [side, side], [stride, stride], [side // 2] * 4
        nodes.append(node("Conv", names, [f"convolved{index}"], kernel_shape=kernel_shape, strides=strides, pads=pads))
        nodes.append(node("Relu", [f"convolved{index}"], [f"found{index + 1}"]))
    weights |= {"head": _half(network.head.weight), "head_bias": _half(network.head.bias)}
    nodes += [
        node("Flatten", [f"found{len(network.layers)}"], ["flat"]),
        _single("head"),
        _single("head_bias"),
        node("Gemm", ["flat", "head_single", "head_bias_single"], ["logits"], transB=1),
        node("Sigmoid", ["logits"], ["output"]),
    ]
    given = Value("input", ["batch", SQUARE_PX, SQUARE_PX, 3])
    return model(nodes, weights, [given], [Value("output", ["batch", network.head.out_features])])


def _single(name: str) -> bytes:
    return node("Cast", [name], [f"{name}_single"], to=1)


def _folded(layer: nn.Module) -> tuple[nn.Conv2d, Weight, Weight]:
    """A convolution, and its weights with what the normalisation behind it does."""
    assert isinstance(layer, nn.Sequential)
    convolution, norm = layer
    assert isinstance(convolution, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return (
        convolution,
        _half(convolution.weight * scale[:, None, None, None]),
        _half(norm.bias - norm.running_mean * scale),
    )


def _half(tensor: Tensor) -> Weight:
    return tensor.detach().to(torch.float16).numpy()

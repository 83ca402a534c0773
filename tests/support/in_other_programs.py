"""What other programs merge into a layer's weight of a LoRA in kohya's names, as each of them computes it.

Worked out anew from their sources (A1111 1.10, ComfyUI 0.3, InvokeAI 6, SD.Next of July 2026) and written as formulas.

Letters: W the layer's weight [O, I, ...], D the low-rank change in its shape, s = alpha / rank, m `dora_scale`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Merge = Callable[[Mapping[str, Tensor], Tensor], Tensor]
"""(a layer's tensors by their suffixes, W) -> the merged weight."""


def low_rank(tensors: Mapping[str, Tensor], weight: Tensor) -> tuple[Tensor, float]:
    """(D, s): alike in all four; s is 1 where a LoKr's factors are both whole."""
    alpha = float(tensors["alpha"])
    if "lora_up.weight" in tensors:
        down = tensors["lora_down.weight"]
        product = tensors["lora_up.weight"].flatten(1) @ down.flatten(1)
        return product.reshape(weight.shape), alpha / down.shape[0]
    if "hada_w1_a" in tensors:
        first, second = (tensors[f"hada_w{n}_a"] @ tensors[f"hada_w{n}_b"] for n in (1, 2))
        return (first * second).reshape(weight.shape), alpha / tensors["hada_w1_b"].shape[0]
    small, large, scale = tensors["lokr_w1"], tensors.get("lokr_w2"), 1.0
    if large is None:
        large, scale = tensors["lokr_w2_a"] @ tensors["lokr_w2_b"], alpha / tensors["lokr_w2_b"].shape[0]
    product = torch.kron(small[..., None, None] if large.ndim == 4 else small, large.contiguous())
    return product.reshape(weight.shape), scale


def by_input(weight: Tensor) -> Tensor:
    """The lengths of a weight's columns, [1, I, 1...]; of a convolution over outputs and the kernel's places."""
    others = [axis for axis in range(weight.ndim) if axis != 1]
    return weight.square().sum(others, keepdim=True).sqrt()


def by_output(weight: Tensor) -> Tensor:
    """The lengths of a weight's rows, [O, 1...]."""
    return weight.square().sum(list(range(1, weight.ndim)), keepdim=True).sqrt()


def a1111(tensors: Mapping[str, Tensor], weight: Tensor) -> Tensor:
    """W + s D; of a DoRA m (W + s D) / |W + s D| by inputs, whatever the shape of m."""
    change, scale = low_rank(tensors, weight)
    both = weight + scale * change
    return both * (tensors["dora_scale"] / by_input(both)) if "dora_scale" in tensors else both


def invokeai(tensors: Mapping[str, Tensor], weight: Tensor) -> Tensor:
    """The difference to W is what is added; the same as A1111's."""
    return weight + (a1111(tensors, weight) - weight)


def comfyui(tensors: Mapping[str, Tensor], weight: Tensor) -> Tensor:
    """With m of O entries divided by |W| by outputs, without the change; a rounding step is added to the lengths."""
    change, scale = low_rank(tensors, weight)
    both = weight + scale * change
    if "dora_scale" not in tensors:
        return both
    magnitude = tensors["dora_scale"]
    lengths = by_output(weight) if magnitude.shape[0] == weight.shape[0] else by_input(both)
    return both * (magnitude / (lengths + torch.finfo(weight.dtype).eps))


def sdnext(tensors: Mapping[str, Tensor], weight: Tensor) -> Tensor:
    """By outputs where m is [O, 1...], else by inputs, and |W + s D| in both."""
    change, scale = low_rank(tensors, weight)
    both = weight + scale * change
    if "dora_scale" not in tensors:
        return both
    magnitude = tensors["dora_scale"]
    is_by_output = magnitude.shape[0] == weight.shape[0] and magnitude[0].numel() == 1
    return both * (magnitude / (by_output(both) if is_by_output else by_input(both)))


PROGRAMS: Mapping[str, Merge] = {"A1111": a1111, "ComfyUI": comfyui, "InvokeAI": invokeai, "SD.Next": sdnext}
"""Forge merges as ComfyUI does."""


@torch.no_grad()
def merge_into(weights: Mapping[str, Tensor], file: Mapping[str, Tensor], merge: Merge) -> None:
    """Replace the weights of a base model's layers as that program does.

    Args:
        weights: the layers' own, by their names in a kohya file.
    """
    for name in sorted({key.partition(".")[0] for key in file}):
        tensors = {key.partition(".")[2]: one for key, one in file.items() if key.partition(".")[0] == name}
        weights[name].copy_(merge(tensors, weights[name]))

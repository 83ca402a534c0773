"""Weights kept in 8-bit floats with a factor beside each, as ComfyUI's files have them: `X.weight` times
`X.scale_weight` or `X.weight_scale`. They can be brought back to 16 bits; weights that are packed otherwise cannot.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

from advisor.shown_text import short_text
from advisor.tensor_files.dtypes import packing
from advisor.tensor_files.header import TensorInfo

WEIGHT = "weight"
SCALES = ("scale_weight", "weight_scale")
"""What the factor is called in the place of `weight`: in ComfyUI's older files, in its newer ones."""
BESIDE = ("scale_input", "input_scale", "comfy_quant")
"""What may stand beside it besides: factors of what goes into the layer, which 16 bits do not need, and a note."""
MARKER = "scaled_fp8"
"""An empty tensor of older files that says that the others are scaled."""
FLOAT8 = ("F8_E4M3", "F8_E5M2")


def scale_of(name: str, names: Container[str]) -> str | None:
    """The tensor that the weight of that name is to be multiplied by; None: it is as it is."""
    stem = name.removesuffix(WEIGHT)
    return next((stem + scale for scale in SCALES if stem + scale in names), None) if stem != name else None


def is_beside_a_weight(name: str, names: Container[str]) -> bool:
    """Whether it is a factor or a note, and no weight of a network."""
    stem, _, last = name.rpartition(".")
    return last == MARKER or (last in (*SCALES, *BESIDE) and f"{stem}.{WEIGHT}" in names)


def why_not_plain(tensors: Mapping[str, TensorInfo]) -> str | None:
    """Why the weights cannot be brought back to 16 bits, as the end of a sentence; None where they are or can be."""
    packed = packing(tensors)
    return f"its weights are packed ({packed})" if packed else next(_faults(tensors), None)


def _faults(tensors: Mapping[str, TensorInfo]) -> Iterator[str]:
    for name, weight in tensors.items():
        scale = scale_of(name, tensors)
        if scale is None:
            continue
        if weight.dtype not in FLOAT8:
            yield f"its weights are packed ({short_text(name)} is of the type {weight.dtype} with a factor)"
        elif tensors[scale].size not in (1, weight.shape[0] if weight.shape else 1):
            yield f"its weights have factors for blocks ({short_text(scale)} holds {tensors[scale].size} numbers)"

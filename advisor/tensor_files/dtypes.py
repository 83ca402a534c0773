"""The dtype that a file's weights have, quantised ones by the marks that their programs leave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from advisor.tensor_files.header import TensorInfo

NAMES: Mapping[str, str] = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "F8_E8M0": "float8_e8m0fnu",
    "F4": "float4_e2m1fn",
    "I8": "int8",
    "U8": "uint8",
    "I16": "int16",
    "I32": "int32",
    "I64": "int64",
}

_MARKS = (
    (".quant_state.bitsandbytes__nf4", "nf4"),
    (".quant_state.bitsandbytes__fp4", "fp4"),
    (".weight_scale_2", "nvfp4"),
    (".SCB", "int8"),
)
"""Ends of names that stand beside packed weights; the first found names the dtype."""
_SCALES = (".scale_weight", ".weight_scale", ".comfy_quant")
_PACKED = ("nf4", "fp4", "nvfp4")
_BOOKKEEPING = (
    *(end for end, _ in _MARKS), *_SCALES, ".scale_input", ".input_scale", ".absmax", ".quant_map", ".nested_absmax",
    ".nested_quant_map", "scaled_fp8", "position_ids", ".alpha",
)  # fmt: skip


def weight_dtype(tensors: Mapping[str, TensorInfo]) -> str | None:
    """The dtype that most bytes have; None when there are no bytes."""
    mark = packing(tensors)
    if mark is not None:
        return mark
    sizes: Counter[str] = Counter()
    for tensor in tensors.values():
        sizes[tensor.dtype] += tensor.end - tensor.start
    most = sizes.most_common(1)
    return NAMES.get(most[0][0], most[0][0].lower()) if most and most[0][1] else None


def quantised(tensors: Mapping[str, TensorInfo]) -> str | None:
    """How the weights are packed or scaled, so that they are no plain numbers; None when they are."""
    mark = packing(tensors)
    if mark is not None:
        return mark
    if "scaled_fp8" in tensors or any(name.endswith(_SCALES) or name.endswith(".scaled_fp8") for name in tensors):
        return f"scaled {weight_dtype(tensors)}"
    return None


def num_parameters(tensors: Mapping[str, TensorInfo]) -> int:
    """How many weights there are; two to each byte where they are packed, and no copies or tables of quantisation."""
    packed = packing(tensors) in _PACKED
    return sum(
        tensor.size * (2 if packed and tensor.dtype == "U8" else 1)
        for name, tensor in tensors.items()
        if not name.endswith(_BOOKKEEPING) and ".quant_state." not in name and not name.startswith("model_ema.")
    )


def packing(tensors: Mapping[str, TensorInfo]) -> str | None:
    """What packed weights are called, e.g. `nf4`; None where none are."""
    for end, dtype in _MARKS:
        if any(name.endswith(end) for name in tensors):
            return dtype
    return None

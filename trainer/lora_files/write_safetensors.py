"""Writes a safetensors file tensor by tensor, so that a model larger than the memory can pass through."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from advisor.tensor_files.header import MAX_HEADER_BYTES

DTYPE_NAMES: Mapping[torch.dtype, str] = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2", torch.float8_e4m3fnuz: "F8_E4M3FNUZ",
    torch.float8_e5m2fnuz: "F8_E5M2FNUZ", torch.float8_e8m0fnu: "F8_E8M0", torch.int64: "I64", torch.int32: "I32",
    torch.int16: "I16", torch.int8: "I8", torch.uint64: "U64", torch.uint32: "U32", torch.uint16: "U16",
    torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip
"""What safetensors calls torch's dtypes."""

PIECE_BYTES = 8 * 1024**2
"""So much is written at once."""
ALIGNMENT = 8


def num_bytes(tensors: Mapping[str, Tensor]) -> int:
    """What they take in a file; a tensor that repeats its numbers takes all of them."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def write_safetensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str], told: Callable[[int], None]
) -> list[str]:
    """Write dense tensors of the CPU to `path`, those of the widest dtype first, so that each begins aligned.

    Args:
        told: is called with the bytes of weights written so far.

    Returns:
        The names of those that hold NaN or infinity.

    Raises:
        ValueError: there are so many that the format has no place for their names.
    """
    order = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    not_finite = list[str]()
    with path.open("wb") as file:
        file.write(_header({name: tensors[name] for name in order}, metadata))
        written = 0
        for name in order:
            finite = True
            for piece in _pieces(tensors[name]):
                finite = finite and _is_finite(piece)
                written += _write(file, piece)
                told(written)
            if not finite:
                not_finite.append(name)
    return not_finite


def _header(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    table: dict[str, object] = {"__metadata__": dict(metadata)}
    end = 0
    for name, tensor in tensors.items():
        start, end = end, end + tensor.numel() * tensor.element_size()
        table[name] = {"dtype": DTYPE_NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
    raw = json.dumps(table, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    raw += b" " * (-len(raw) % ALIGNMENT)
    if len(raw) > MAX_HEADER_BYTES:
        raise ValueError(f"the names of {len(tensors):,} tensors take {len(raw):,} bytes")
    return len(raw).to_bytes(8, "little") + raw


def _pieces(tensor: Tensor) -> Sequence[Tensor]:
    """The numbers in their order, as flat tensors of a bounded size; only one that lies strewn about is copied."""
    flat = tensor.detach().contiguous().reshape(-1)
    return torch.split(flat, max(1, PIECE_BYTES // flat.element_size()))


def _is_finite(piece: Tensor) -> bool:
    """Numbers of one byte are no weights by themselves and are not looked at."""
    return not piece.is_floating_point() or piece.element_size() < 2 or bool(torch.isfinite(piece).all())


def _write(file: BinaryIO, piece: Tensor) -> int:
    if piece.numel() == 0:
        return 0
    return file.write(piece.view(torch.uint8).numpy().data)

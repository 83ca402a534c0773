"""Writes a safetensors file tensor by tensor, so that a model larger than the memory can pass through."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from advisor.tensor_files.header import MAX_HEADER_BYTES
from trainer.models.weight_files import SAFETENSORS_DTYPES

DTYPE_NAMES = {dtype: name for name, dtype in SAFETENSORS_DTYPES.items()}
"""Safetensors' names of torch's dtypes."""
PIECE_BYTES = 8 * 1024**2
"""Written at once."""
ALIGNMENT = 8


def num_bytes(tensors: Mapping[str, Tensor]) -> int:
    """What they take in a file; a tensor that repeats its numbers takes all of them."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def write_safetensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str], progress: Callable[[int], None]
) -> list[str]:
    """Write dense tensors of the CPU to `path`, those of the widest dtype first, so that each begins aligned.

    Args:
        progress: is called with the bytes of weights written so far.

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
                progress(written)
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

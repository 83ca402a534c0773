"""Writes safetensors files with any header, genuine or wrong; tensors are holes in the file and cost no disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path

from advisor.tensor_files.header import DTYPE_BITS, TensorInfo

Shapes = Mapping[str, tuple[int, ...]]


def entries(shapes: Shapes, dtype: str = "F16", dtypes: Mapping[str, str] | None = None) -> dict[str, object]:
    """The header's entries for tensors one after another."""
    table: dict[str, object] = {}
    at = 0
    for name, shape in shapes.items():
        kind = (dtypes or {}).get(name, dtype)
        end = at + prod(shape) * DTYPE_BITS[kind] // 8
        table[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [at, end]}
        at = end
    return table


def write_raw(path: Path, header: bytes, data_bytes: int = 0) -> Path:
    """A file of these header bytes and a hole."""
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + data_bytes)
    return path


def write_model(
    path: Path,
    shapes: Shapes,
    *,
    dtype: str = "F16",
    dtypes: Mapping[str, str] | None = None,
    metadata: Mapping[str, str] | None = None,
    values: Mapping[str, bytes] | None = None,
) -> Path:
    """A valid file with tensors of these shapes; `values` fills some of them."""
    table = entries(shapes, dtype, dtypes)
    ends = [entry["data_offsets"][1] for entry in table.values() if isinstance(entry, dict)]
    whole = {"__metadata__": dict(metadata), **table} if metadata else table
    header = json.dumps(whole).encode()
    write_raw(path, header, max(ends, default=0))
    with path.open("r+b") as file:
        for name, raw in (values or {}).items():
            entry = table[name]
            assert isinstance(entry, dict)
            file.seek(8 + len(header) + entry["data_offsets"][0])
            file.write(raw)
    return path


def infos(shapes: Shapes, dtype: str = "F16") -> dict[str, TensorInfo]:
    """What `read_header` would give for such a file."""
    return {
        name: TensorInfo(dtype, shape, *entry["data_offsets"])
        for (name, shape), entry in zip(shapes.items(), entries(shapes, dtype).values(), strict=True)
        if isinstance(entry, dict)
    }

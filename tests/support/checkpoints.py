"""Pickled checkpoints as programs leave them, and such as attackers would."""

from __future__ import annotations

import io
import pickle
import sys
import types
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from advisor.errors import ModelError
from trainer.convert.pickle import convert

WEIGHTS = {"a.weight": torch.arange(12.0).reshape(3, 4), "b.bias": torch.ones(5, dtype=torch.float16)}

BOTH = pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])


def save(path: Path, content: object, *, legacy: bool = False, protocol: int = 2) -> Path:
    """As torch.save of after and before version 1.6."""
    torch.save(content, path, _use_new_zipfile_serialization=not legacy, pickle_protocol=protocol)
    return path


def zip_checkpoint(path: Path, raw: bytes, parts: Mapping[str, bytes] | None = None, **more: Any) -> Path:
    """An archive around any pickle."""
    with zipfile.ZipFile(path, "w", **more) as archive:
        archive.writestr("archive/data.pkl", raw)
        for name, content in (parts or {}).items():
            archive.writestr(f"archive/{name}", content)
    return path


@contextmanager
def foreign_class(module: str, name: str, base: type = object) -> Iterator[type]:
    """A class that can be pickled within, and that nobody can import afterwards."""
    made = type(name, (base,), {"__module__": module, "__qualname__": name})
    names = [".".join(module.split(".")[: length + 1]) for length in range(module.count(".") + 1)]
    before = {one: sys.modules.get(one) for one in names}
    for one in names:
        sys.modules[one] = types.ModuleType(one)
    setattr(sys.modules[module], name, made)
    try:
        yield made
    finally:
        for one, old in before.items():
            if old is None:
                del sys.modules[one]
            else:
                sys.modules[one] = old


class Calls:
    """Pickles as a call of any function, which is carried out where somebody opens it."""

    def __init__(self, function: Any, *arguments: object) -> None:
        self._call = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[object, ...]]:
        return self._call


def call(module: str, name: str, *arguments: str) -> bytes:
    """A pickle of protocol 2 that calls `module.name`, written by hand."""
    raw = io.BytesIO()
    raw.write(b"\x80\x02c" + f"{module}\n{name}\n".encode() + b"(")
    for argument in arguments:
        text = argument.encode()
        raw.write(b"X" + len(text).to_bytes(4, "little") + text)
    raw.write(b"tR.")
    return raw.getvalue()


def legacy_checkpoint(path: Path, raw: bytes) -> Path:
    """The layout of before torch 1.6 around any pickle."""
    mark = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)
    rest = [pickle.dumps(one, protocol=2) for one in (1001, {"little_endian": True, "protocol_version": 1001})]
    path.write_bytes(mark + b"".join(rest) + raw + pickle.dumps([], protocol=2))
    return path


def same(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> bool:
    """Whether names, dtypes, shapes and bits are the same."""
    return set(found) == set(wanted) and all(
        found[name].dtype == wanted[name].dtype and torch.equal(found[name], wanted[name]) for name in wanted
    )


def converted(source: Path) -> dict[str, Any]:
    return convert(source, source.with_suffix(".safetensors"), lambda line: None)


def tensors(source: Path) -> dict[str, torch.Tensor]:
    converted(source)
    return dict(load_file(source.with_suffix(".safetensors")))


def refusal(source: Path) -> str:
    with pytest.raises(ModelError) as error:
        converted(source)
    assert not source.with_suffix(".safetensors").exists()
    assert [path.suffix for path in source.parent.iterdir() if path.suffix == ".part"] == []
    return str(error.value)

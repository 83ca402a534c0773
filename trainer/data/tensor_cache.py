"""Tensors on disk, each under a key made of everything that shapes it.

Entries are never stale: an edited image, another VAE or another crop has another key. Entries are written
atomically, so two runs may share a cache; a damaged one counts as missing and is made again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from advisor.errors import RunError
from advisor.estimate.ram import CACHE_KEPT_BYTES
from advisor.files import open_regular, write_atomically
from trainer.data.cache_index import CacheIndex
from trainer.layers.quantised_layers import PACKED
from trainer.runtime.disk_space import write_with_room

MOST_ENTRY_BYTES = 2 * 1024**3
"""No picture's or caption's tensors are larger; what is, such as a file of holes, counts as missing."""

Tensors = Mapping[str, Tensor]


class TensorCache:
    """A folder of small sets of tensors."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`, which is made when the first entry is written."""
        self._folder = folder
        self._kept: dict[str, Tensors] = {}
        self._kept_bytes = 0
        self._index: CacheIndex | None = None

    def has(self, key: str) -> bool:
        """Whether there is an entry that is whole; one that was found whole before is not read for that."""
        if key in self._kept or self._known.has(key, self._path(key)):
            return True
        if self.get(key) is None:
            return False
        self._known.add(key, self._path(key))
        return True

    def remember(self) -> None:
        """Keep which entries are whole for the next start."""
        self._known.write()
        self._index = None

    @property
    def _known(self) -> CacheIndex:
        if self._index is None:
            self._index = CacheIndex(self._folder)
        return self._index

    def get(self, key: str) -> Tensors | None:
        """The entry, on the CPU; None where there is none or it is damaged."""
        if key in self._kept:
            return self._kept[key]
        tensors = self._read(key)
        if tensors is not None:
            self._keep(key, tensors)
        else:
            self._known.drop(key)
        return tensors

    def put(self, key: str, tensors: Tensors) -> None:
        """Write an entry.

        Raises:
            RunError: it cannot be written.
        """
        plain, path = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, self._path(key)
        try:
            content = save(plain, {"checksum": digest(plain)})
            write_with_room(path, len(content), lambda: write_atomically(path, content))
        except RunError:
            # On Windows a file that another run is reading cannot be replaced; what that run reads will do.
            if self._read(key) is None:
                raise
        if self._index is not None:
            self._index.add(key, path)
        self._keep(key, plain)

    def _read(self, key: str) -> Tensors | None:
        try:
            with open_regular(self._path(key)) as held:
                if os.fstat(held.fileno()).st_size > MOST_ENTRY_BYTES:
                    return None
                with safe_open(self._path(key), framework="pt") as file:
                    tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                    checksum = (file.metadata() or {}).get("checksum")
        except (OSError, SafetensorError, ValueError):
            return None
        return tensors if checksum == digest(tensors) else None

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.safetensors"

    def _keep(self, key: str, tensors: Tensors) -> None:
        size = sum(tensor.nbytes for tensor in tensors.values())
        if self._kept_bytes + size <= CACHE_KEPT_BYTES:
            self._kept[key] = tensors
            self._kept_bytes += size


class KeyText(str):
    """A value that stands in a cache key as it is, not as its `repr`, so that no class's name is part of the key."""

    __slots__ = ()
    __repr__ = str.__str__


def cache_key(**shaped_by: object) -> str:
    """A key of 40 characters from the names and values of everything that shapes the entry."""
    text = "\n".join(f"{name}={shaped_by[name]!r}" for name in sorted(shaped_by))
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def digest(tensors: Tensors) -> str:
    """A hash of names, dtypes, shapes and contents."""
    hashed = sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        hashed.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        hashed.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return hashed.hexdigest()


def module_digest(module: nn.Module) -> str:
    """A hash of a network's weights, whichever file they came from."""
    packed = {name: one for name, one in module.named_buffers() if name.rpartition(".")[2].startswith(PACKED)}
    return digest(module.state_dict() | packed)

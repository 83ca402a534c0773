"""Signatures: names and shapes of tensors by which a family is recognised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from advisor.tensor_files.header import TensorInfo

Tensors = Mapping[str, TensorInfo]
"""A network's tensors under the names of its own code, the file's prefix taken off."""
PREFIXES = ("model.diffusion_model.", "net.", "model.", "")
"""What may stand before a denoiser's own names in a file."""
Shape = tuple[int | None, ...]
"""None: any length."""


@dataclass(frozen=True)
class Signature:
    """One way to recognise a network by its tensors; names may hold `*` and, for two spellings, `|`."""

    has: tuple[str, ...]
    """All of these are there."""
    lacks: tuple[str, ...] = ()
    """None of these is there."""
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    """The first tensor of each name has this shape; part of `has` by itself."""
    variant: str | None = None

    def fits(self, tensors: Tensors) -> bool:
        """Whether all of it holds for these tensors."""
        return (
            all(find(tensors, name) for name in self.has)
            and all(_same(find(tensors, name), shape) for name, shape in self.shapes.items())
            and not any(find(tensors, name) for name in self.lacks)
        )


def find(tensors: Tensors, pattern: str) -> TensorInfo | None:
    """The first tensor of that name; None if there is none."""
    for name in pattern.split("|"):
        if "*" not in name:
            if name in tensors:
                return tensors[name]
            continue
        start = name.partition("*")[0]
        for key, tensor in tensors.items():
            if key.startswith(start) and fnmatchcase(key, name):
                return tensor
    return None


def width(tensors: Tensors, pattern: str, axis: int) -> int | None:
    """The length of that tensor along `axis`; None if it is absent, empty or has fewer axes."""
    tensor = find(tensors, pattern)
    return (tensor.shape[axis] or None) if tensor is not None and len(tensor.shape) > axis else None


def num_layers(tensors: Tensors, start: str) -> int:
    """How many layers are numbered from 0 on after `start`; 0 where numbers are left out."""
    numbers = {name.removeprefix(start).partition(".")[0] for name in tensors if name.startswith(start)}
    return len(numbers) if numbers == set(map(str, range(len(numbers)))) else 0


def _same(tensor: TensorInfo | None, shape: Shape) -> bool:
    return (
        tensor is not None
        and len(tensor.shape) == len(shape)
        and all(wanted in (None, length) for wanted, length in zip(shape, tensor.shape, strict=True))
    )

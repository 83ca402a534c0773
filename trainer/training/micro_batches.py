"""A batch in parts, one after the other: the same gradient in less memory.

What is drawn for a batch (noise, timesteps) is drawn for the whole of it first, so that a batch learns from the same
pictures and the same noise however many parts it goes through in.
"""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

from torch import Tensor

from trainer.models.families.family import Conditioning
from trainer.training.step import Batch


def parts_of(count: int, parts: int) -> tuple[slice, ...]:
    """`count` pictures in so many parts, as equal as can be and none of them empty."""
    parts = max(1, min(parts, count))
    edges = [count * number // parts for number in range(parts + 1)]
    return tuple(slice(start, stop) for start, stop in pairwise(edges))


def part_of_batch(batch: Batch, part: slice) -> Batch:
    """The pictures of a batch that lie in `part`."""
    return replace(batch, **{field.name: _cut(getattr(batch, field.name), part) for field in fields(batch)})


def _cut(value: Any, part: slice) -> Any:
    if isinstance(value, Tensor):
        return value[part]
    if isinstance(value, tuple):
        return tuple(_cut(item, part) for item in value)
    if isinstance(value, Conditioning):
        return Conditioning(**{name: tensor[part] for name, tensor in value.tensors().items()})
    return value

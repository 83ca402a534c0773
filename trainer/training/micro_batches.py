"""Micro-batches: a batch split along its first axis, whose gradients add up to the batch's in less memory.

Noise, timesteps and dropout are drawn for the whole batch first, so that it learns from the same samples and the same
noise however it is split, also among processes.
"""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

from torch import Tensor

from trainer.models.families.family import Conditioning
from trainer.training.step import Batch


def micro_batch_slices(count: int, parts: int) -> tuple[slice, ...]:
    """Slices of `count` samples into `parts` micro-batches, whose sizes differ by one at most and are never 0."""
    parts = max(1, min(parts, count))
    edges = [count * number // parts for number in range(parts + 1)]
    return tuple(slice(start, stop) for start, stop in pairwise(edges))


def micro_batch(batch: Batch, part: slice) -> Batch:
    """The samples of a batch in `part`, all tensors sliced alike."""
    return replace(batch, **{field.name: _cut(getattr(batch, field.name), part) for field in fields(batch)})


def _cut(value: Any, part: slice) -> Any:
    if isinstance(value, Tensor):
        return value[part]
    if isinstance(value, tuple):
        return tuple(_cut(item, part) for item in value)
    if isinstance(value, Conditioning):
        return value.part(part)
    return value

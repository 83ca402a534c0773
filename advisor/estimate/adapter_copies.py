"""Bytes of the copies of adapters in the compute dtype, and of the gradients that arrive in it.

What the trainer does with them: `trainer.adapters.compute_copies`. In float32 there are none, nor for DoRA, whose
lengths are computed in float32, nor beside a base in nf4.
"""

from __future__ import annotations

from advisor.estimate.disk import BYTES_OF
from advisor.settings.config import MemoryConfig, TrainingConfig
from advisor.units import MIB

GATHERED_BYTES = 64 * MIB
"""Of gradients in float32 that are made at once of those in the compute dtype."""


def are_copied(memory: MemoryConfig) -> bool:
    """Whether adapters have copies in the compute dtype.

    Beside nf4, which is for where memory is short, they have none (docs/decisions/0049-fewer-operations.md).
    """
    return memory.compute_dtype != "float32" and memory.base_dtype != "nf4"


def copy_bytes(config: TrainingConfig) -> int:
    """Of the copy of one trained weight; 0 where there is none."""
    if config.network.kind == "dora" or not are_copied(config.memory):
        return 0
    return int(BYTES_OF[config.memory.compute_dtype])


def gradient_bytes(copy: int, *, trained: int, reached: float, keeps: bool) -> float:
    """Of the gradients that exist in a backward pass that has come to `reached` of the trained weights.

    Args:
        copy: bytes of the copy of one weight; 0: there is none.
        keeps: those of an earlier backward pass are there from the start.
    """
    if not copy:
        return 4 * (trained if keeps else reached)
    return (4 * trained if keeps else 0) + copy * reached


def gathering_bytes(copy: int, *, trained: int, keeps: bool) -> float:
    """The most gradients while they are gathered in float32 after a backward pass; 0 where they arrive so."""
    at_once = min(GATHERED_BYTES, 4 * trained)
    if not copy:
        return 0
    return (4 + copy) * trained + at_once if keeps else 4 * trained + at_once * copy / 4

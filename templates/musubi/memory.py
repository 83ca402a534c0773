"""musubi-tuner's memory: docs/decisions/0031-the-other-trainers-memory.md."""

from __future__ import annotations

from templates.exporting.memory import TrainerMemory

MEMORY = TrainerMemory(
    activations={},
    checkpointed={},
    reported_bytes={},
    source="neither counted nor reported",
    int8_families=frozenset({"z_image"}),
    swaps_blocks=True,
)

"""OneTrainer's memory: docs/decisions/0031-the-other-trainers-memory.md."""

from __future__ import annotations

from templates.exporting.memory import AUTOCAST, TrainerMemory

MEMORY = TrainerMemory(
    activations=AUTOCAST,
    checkpointed={},
    reported_bytes={},
    source="without checkpointing as counted for sd-scripts, whose autocast it shares; with it one published figure, "
    "which has no more than ours",
    quantises=True,
)

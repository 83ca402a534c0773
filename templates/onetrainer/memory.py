"""OneTrainer's memory: docs/decisions/0027-the-other-trainers-memory.md."""

from __future__ import annotations

from templates.exporting.memory import AUTOCAST, AUTOCAST_CHECKPOINTED, TrainerMemory

MEMORY = TrainerMemory(
    activations=AUTOCAST,
    checkpointed=AUTOCAST_CHECKPOINTED,
    reported_bytes={},
    source="taken from the count of sd-scripts, whose autocast it shares; the one published figure has as much as ours",
    quantises=True,
)

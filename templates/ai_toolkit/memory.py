"""ai-toolkit's memory: docs/decisions/0031-the-other-trainers-memory.md."""

from __future__ import annotations

from templates.exporting.memory import AUTOCAST, AUTOCAST_CHECKPOINTED, TrainerMemory

MEMORY = TrainerMemory(
    activations=AUTOCAST,
    checkpointed=AUTOCAST_CHECKPOINTED,
    reported_bytes={},
    int8_families=frozenset({"anima", "z_image"}),
    source="neither counted nor reported; taken to be as counted for sd-scripts",
)

"""sd-scripts' memory, which is that of kohya's GUI too: docs/decisions/0031-the-other-trainers-memory.md."""

from __future__ import annotations

from advisor.units import GIB
from templates.exporting.memory import AUTOCAST, AUTOCAST_CHECKPOINTED, TrainerMemory

MEMORY = TrainerMemory(
    activations=AUTOCAST,
    checkpointed=AUTOCAST_CHECKPOINTED,
    reported_bytes={"sd1": int(1.75 * GIB), "sd2": int(1.75 * GIB), "sdxl": int(0.7 * GIB)},
    source="counted on sd-scripts' own step with CUDA's autocast, which keeps norms in float32",
)

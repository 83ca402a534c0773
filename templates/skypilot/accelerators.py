"""SkyPilot's names for NVIDIA's cards, and which of them a training fits into.

The names are those of SkyPilot's catalogue (github.com/skypilot-org/skypilot-catalog, `common/accelerators.csv`),
memory and compute capability those of NVIDIA's data sheets, with the error-correcting codes taken off as drivers report
it. Where a name is rented with more and less memory, the less counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from advisor.machine.hardware import Gpu
from advisor.settings.config import TrainingConfig
from advisor.units import GIB

TURING, AMPERE_SERVER, AMPERE, ADA, HOPPER, BLACKWELL_SERVER, BLACKWELL = (
    (7, 5), (8, 0), (8, 6), (8, 9), (9, 0), (10, 0), (12, 0),
)  # fmt: skip
"""Compute capabilities. Older cards are left out: torch's present builds do not run on them, and which build fits is
decided by the driver alone."""


@dataclass(frozen=True)
class Accelerator:
    """A card that is rented out."""

    name: str
    """As SkyPilot has it."""
    memory_gib: float
    compute_capability: tuple[int, int]

    def as_gpu(self) -> Gpu:
        """The card as the advisor judges cards: with what the system around it takes, as anywhere."""
        return Gpu(self.name, 0, 0, self.compute_capability).of_size(round(self.memory_gib * GIB))


_ROWS = (
    ("RTX3070", 8, AMPERE), ("RTX5060", 8, BLACKWELL), ("RTX3060", 8, AMPERE), ("RTX3080", 10, AMPERE),
    ("T4", 15, TURING), ("A4000", 16, AMPERE), ("RTXA4000", 16, AMPERE), ("RTXA4500", 20, AMPERE),
    ("RTX4000-Ada", 20, ADA), ("A10", 22.5, AMPERE), ("A10G", 22.5, AMPERE), ("L4", 22.5, ADA),
    ("A30", 24, AMPERE_SERVER), ("RTX6000", 24, TURING), ("RTXA5000", 24, AMPERE), ("RTX3090", 24, AMPERE),
    ("RTX4090", 24, ADA),
    ("RTX5090", 32, BLACKWELL), ("A100", 40, AMPERE_SERVER), ("A40", 45, AMPERE), ("L40", 45, ADA), ("L40S", 45, ADA),
    ("A6000", 48, AMPERE), ("RTXA6000", 48, AMPERE), ("RTX6000-Ada", 48, ADA), ("RTX6000Ada", 48, ADA),
    ("A100-80GB", 80, AMPERE_SERVER), ("A100-80GB-SXM", 80, AMPERE_SERVER), ("A800", 80, AMPERE_SERVER),
    ("H100", 80, HOPPER), ("H100-MEGA", 80, HOPPER), ("H100-SXM", 80, HOPPER), ("H100-NVL", 94, HOPPER),
    ("RTXPRO6000S", 96, BLACKWELL), ("RTXPRO6000WS", 96, BLACKWELL), ("H200", 141, HOPPER), ("H200-SXM", 141, HOPPER),
    ("B200", 180, BLACKWELL_SERVER),
)  # fmt: skip
ACCELERATORS = tuple(Accelerator(*row) for row in _ROWS)
"""The smallest first."""


def fitting(config: TrainingConfig, vram_bytes: int) -> Sequence[Accelerator]:
    """The cards that have so much memory free and compute in the configuration's dtype; the smallest first."""
    found = [one for one in ACCELERATORS if one.as_gpu().free_bytes >= vram_bytes]
    return [one for one in found if config.memory.compute_dtype != "bfloat16" or one.as_gpu().has_bf16]

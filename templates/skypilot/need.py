"""What a rented machine has to have for a run, by the same counts that a plan is made of."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from pathlib import Path

from advisor.checkpoints.identify import identify
from advisor.dataset.epoch import epoch_sizes
from advisor.dataset.report import DatasetReport
from advisor.errors import ModelError
from advisor.estimate.disk import CHARACTERS_PER_TOKEN, disk_bytes
from advisor.estimate.ram import ram_bytes
from advisor.estimate.vram import Phase, encoding_phases, phase_bytes
from advisor.families import family
from advisor.families.structure import Structure
from advisor.settings.config import TrainingConfig
from advisor.units import GIB
from templates.exporting.derived import Length

SYSTEM_RAM_BYTES = 2 * GIB
"""For the system and SkyPilot's own processes."""
IMAGE_DISK_BYTES = 150 * 10**9
"""The largest of the system images that SkyPilot 0.14 starts machines from (Azure's); the disk has to hold it."""
PACKAGES_DISK_BYTES = 12 * GIB
"""Python with torch's CUDA build and what we need beside it, and the packages as they are fetched."""
LEAST_CPUS = 4


@dataclass(frozen=True)
class Need:
    """Bytes of a machine."""

    vram: int
    """Free on the card; 0 where the processor trains."""
    ram: int
    disk: int

    @property
    def ram_gib(self) -> int:
        """In whole GiB, as SkyPilot asks for it."""
        return ceil(self.ram / GIB)

    @property
    def disk_gb(self) -> int:
        """In tens of 1e9 bytes."""
        return ceil(self.disk / 10**10) * 10


def machine_need(
    config: TrainingConfig, pictures: DatasetReport, regularization: DatasetReport | None, *, model: Path, extra: int
) -> Need:
    """What the run takes with these pictures.

    Args:
        model: the base model on this machine.
        extra: bytes of what is brought to the machine.
    """
    structure, on_card = _structure(config, model), config.memory.preset != "cpu"
    sizes = epoch_sizes(pictures, config, regularization)
    size = max(sizes, key=lambda one: one[0] * one[1], default=None)
    phases: tuple[Phase, ...] = ("step", *encoding_phases(config))
    square = config.dataset.resolution_px, config.dataset.resolution_px
    needed = [phase_bytes(phase, config, structure, size=size) for phase in phases]
    if config.sampling.draws:
        needed.append(phase_bytes("sampling", config, structure, size=square))
    number, tokens = pictures.num_images, pictures.mean_caption_length / CHARACTERS_PER_TOKEN
    written = disk_bytes(config, structure, number, steps=Length.of(config, sizes).steps, caption_tokens=tokens)
    ram = ram_bytes(config, structure, num_images=number, on_gpu=on_card, caption_tokens=tokens)
    disk = IMAGE_DISK_BYTES + PACKAGES_DISK_BYTES + written + extra
    return Need(max(needed) if on_card else 0, ram + SYSTEM_RAM_BYTES, disk)


def _structure(config: TrainingConfig, model: Path) -> Structure:
    """Of the base model; where its file does not tell, of its family."""
    try:
        found = identify(model).structure
    except ModelError:
        found = None
    if found is None:
        found = family(config.model.family).standard
    assert found is not None, config.model.family  # refused before: every family that is trained has one
    return found

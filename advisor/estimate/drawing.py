"""What drawing with finished LoRAs takes: time and memory of a grid."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.estimate.device_speed import speed_of
from advisor.estimate.timing import START_SECONDS, image_seconds
from advisor.estimate.vram import drawing_bytes
from advisor.families.structure import Structure
from advisor.machine.hardware import Gpu, Hardware
from advisor.settings.config import TrainingConfig


@dataclass(frozen=True)
class DrawingCost:
    """What a grid takes."""

    num_images: int
    seconds: float | None
    """None where nothing is known of the card's speed."""
    peak_bytes: int
    free_bytes: int
    """Of the card; of the machine, on a processor."""

    @property
    def fits(self) -> bool:
        """Whether the prediction is that memory suffices."""
        return self.peak_bytes <= self.free_bytes


def drawing_cost(
    config: TrainingConfig, structure: Structure, hardware: Hardware, gpu: Gpu | None, *, num_images: int
) -> DrawingCost:
    """What drawing so many square images takes.

    Args:
        config: as it is drawn: on a processor in float32.
        gpu: None: the processor.
    """
    speed = speed_of(config, hardware, gpu)
    seconds = None if speed is None else START_SECONDS + num_images * image_seconds(speed, config, structure)
    free = hardware.ram_free_bytes if gpu is None else gpu.free_bytes
    return DrawingCost(num_images, seconds, drawing_bytes(config, structure), free)

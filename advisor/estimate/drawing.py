"""What drawing with finished LoRAs takes: time and memory of a grid."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.estimate.device_speed import speed_of
from advisor.estimate.step_work import step_work
from advisor.estimate.timing import START_SECONDS
from advisor.estimate.vram import drawing_bytes
from advisor.families.structure import Structure
from advisor.machine.hardware import Gpu, Hardware
from advisor.settings.config import TrainingConfig

SAMPLE_STEP_SHARE = 2 / 3
"""A denoising step is two forward passes (with the prompt and without); a training step costs about three."""


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
    seconds = None
    if speed is not None:
        schedule = config.schedule.model_copy(update={"batch_size": 1, "gradient_accumulation": 1})
        single = config.model_copy(update={"schedule": schedule})
        each = config.sampling.steps * speed.seconds(step_work(single, structure)) * SAMPLE_STEP_SHARE
        seconds = START_SECONDS + num_images * each
    free = hardware.ram_free_bytes if gpu is None else gpu.free_bytes
    return DrawingCost(num_images, seconds, drawing_bytes(config, structure), free)

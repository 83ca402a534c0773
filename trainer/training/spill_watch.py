"""Watches the steps' times for the silent spill of a GPU's memory (`advisor.machine.driver_spill`)."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from advisor.estimate.timing import step_seconds
from advisor.families.structure import Structure
from advisor.machine.driver_spill import FULL_SHARE, TimedStep, drivers_spill, times_slower
from advisor.machine.memory_snapshot import Room
from advisor.machine.probe import probe_hardware
from advisor.settings.config import TrainingConfig
from trainer.data.training_set import BatchRefs, TrainingSet
from trainer.device.choose import GPUS_WITH_OWN_MEMORY
from trainer.device.device_memory import room_of


class SpillWatch:
    """Detects from the steps' times that the GPU's driver moves memory into system memory."""

    def __init__(
        self, room: Callable[[], Room], predicted_seconds: float | None = None, *, only_warns: bool = False
    ) -> None:
        """Watch a training from its first step.

        Args:
            room: asks how full the GPU is; only asked when the steps are slow.
            predicted_seconds: of a step, if that could be predicted.
            only_warns: training goes on all the same; for the loop.
        """
        self._room, self._predicted, self.only_warns = room, predicted_seconds, only_warns
        self._steps: list[TimedStep] = []

    def after(self, step: TimedStep) -> float | None:
        """How many times slower than usual the steps have become, if it is a spill."""
        self._steps.append(step)
        times = times_slower(self._steps, self._predicted)
        return times if times is not None and self._room().full_share >= FULL_SHARE else None


def spills_here() -> bool:
    """Whether this machine's drivers spill."""
    return drivers_spill(platform.system(), platform.release())


def watch_for(
    run: Path, config: TrainingConfig, structure: Structure, device: torch.device, *, only_warns: bool = False
) -> SpillWatch | None:
    """The watch for a training; None where nothing can spill."""
    if device.type not in GPUS_WITH_OWN_MEMORY or not spills_here():
        return None
    hardware = probe_hardware(run)
    predicted = step_seconds(config, structure, hardware, hardware.main_gpu)
    return SpillWatch(lambda: room_of(device), predicted, only_warns=only_warns)


def timed(seconds: float, batches: Sequence[BatchRefs], training_set: TrainingSet) -> TimedStep:
    """A step of these batches."""
    sizes = [training_set.items[view.item].bucket for batch in batches for view in batch]
    areas = [width * height for width, height in sizes]
    return TimedStep(seconds, sum(areas), max(areas, default=1))

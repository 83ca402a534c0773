"""How a training reports: progress as events, a lack of memory as the error that says what was being done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from advisor.dataset.buckets import Size
from advisor.errors import LoraError, MemoryFacts
from advisor.machine.memory_snapshot import Room
from advisor.settings.config import TrainingConfig
from trainer.device.device_memory import is_out_of_memory
from trainer.runtime.events import Events, ReportProgress
from trainer.runtime.interrupts import Interrupt
from trainer.training.failures import Spilled, memory_facts, out_of_memory, spilled


@dataclass(frozen=True)
class Reporter:
    """Sends a run's events, checks for interrupts, and turns a lack of memory into an `OutOfMemory`."""

    run: Path
    config: TrainingConfig
    device: torch.device
    events: Events
    interrupt: Interrupt
    memory_before: Room
    """The device's memory when the training began."""
    largest: Size | None = None
    """The largest size that is trained at, once the images are known."""

    @contextmanager
    def during(self, activity: str) -> Iterator[None]:
        """Within, a lack of memory is reported as having happened in this activity; the innermost one counts.

        Args:
            activity: continues "While ..."; those in `trainer.training.failures` are known to the memory ladder.

        Raises:
            OutOfMemory: memory ran out, or the GPU's driver spilled it into system memory.
        """
        try:
            yield
        except LoraError:
            raise
        except Spilled as error:
            raise spilled(error, self._memory_facts(activity)) from error
        except (RuntimeError, MemoryError, OSError) as error:
            if is_out_of_memory(error):
                raise out_of_memory(self.config, self.device, activity, self._memory_facts(activity)) from error
            raise

    def progress(self, phase: str) -> ReportProgress:
        """A function that reports how many of how many pieces of a phase are done.

        It raises Interrupted once the user wants to stop.
        """

        def report(done: int, total: int) -> None:
            self.events.progress(phase, done, total)
            self.interrupt.check()

        return report

    def _memory_facts(self, activity: str) -> MemoryFacts:
        return memory_facts(self.device, activity, self.largest, self.memory_before)

"""How long a training is: epochs, steps and batches."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from advisor.dataset.buckets import batches_per_epoch
from advisor.run_folder.state_manifest import BEGINNING, Position
from advisor.settings.config import TrainingConfig
from trainer.data.training_set import TrainingSet


@dataclass(frozen=True)
class Length:
    """How long a training is."""

    batches_per_epoch: int
    steps: int
    """Of the whole training."""
    epochs: int
    """Of the whole training; the last is counted where `max_steps` ends it early."""

    @classmethod
    def of(cls, training_set: TrainingSet, config: TrainingConfig, begins: Position = BEGINNING) -> Length:
        """As long as the configuration wants: epochs or steps, whichever end first.

        Args:
            begins: where the training goes on; the epochs before were as long as they were, whatever pictures have
                come or gone since.
        """
        schedule = config.schedule
        batches = batches_per_epoch(training_set.bucket_counts(), schedule.batch_size)
        per_epoch = ceil(batches / schedule.gradient_accumulation)
        done = min(begins.step_in_epoch, per_epoch)
        left = max(0, (schedule.epochs - begins.epoch) * per_epoch - done)
        if schedule.max_steps:
            left = max(0, min(left, schedule.max_steps - begins.step))
        return cls(batches, begins.step + left, begins.epoch + ceil((done + left) / per_epoch))

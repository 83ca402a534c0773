"""How long a training is: epochs, steps and batches."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from advisor.dataset.buckets import batches_per_epoch
from advisor.settings.config import TrainingConfig
from trainer.data.training_set import TrainingSet


@dataclass(frozen=True)
class Length:
    """How long a training is."""

    batches_per_epoch: int
    steps_per_epoch: int
    steps: int
    """Of the whole training."""

    @classmethod
    def of(cls, training_set: TrainingSet, config: TrainingConfig) -> Length:
        """As long as the configuration wants: epochs or steps, whichever end first."""
        schedule = config.schedule
        batches = batches_per_epoch(training_set.bucket_counts(), schedule.batch_size)
        per_epoch = ceil(batches / schedule.gradient_accumulation)
        steps = per_epoch * schedule.epochs
        return cls(batches, per_epoch, min(steps, schedule.max_steps) if schedule.max_steps else steps)

    @property
    def epochs(self) -> int:
        """Of the whole training; the last is counted where `max_steps` ends it early."""
        return ceil(self.steps / self.steps_per_epoch)

"""Values that other trainers' files need and that follow from several of our settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from advisor.dataset.buckets import Size, batches_per_epoch
from advisor.settings.config import NetworkConfig, TrainingConfig


@dataclass(frozen=True)
class Length:
    """How long the training is, counted in its images as our trainer counts them."""

    steps_per_epoch: int
    steps: int
    """Of the whole training."""
    ends_early: bool = False
    """`schedule.max_steps` ends it before the epochs do."""
    is_exact: bool = True
    """False where images are held out: which ones decides by some steps, and each trainer draws its own."""

    @classmethod
    def of(cls, config: TrainingConfig, sizes: Mapping[Size, int]) -> Length:
        """The length of a training whose epoch has so many images of each size."""
        schedule = config.schedule
        batches = batches_per_epoch(sizes, schedule.batch_size)
        each = max(1, math.ceil(batches / schedule.gradient_accumulation))
        steps, most = each * schedule.epochs, schedule.max_steps
        ends_early = 0 < most < steps
        return cls(each, most if ends_early else steps, ends_early, is_exact=not 0 < config.validation.share < 1)

    @property
    def num_epochs(self) -> int:
        """Epochs begun."""
        return math.ceil(self.steps / self.steps_per_epoch)


def conv_alpha(network: NetworkConfig) -> float:
    """The alpha of convolutions, worked out where it follows that of the others."""
    return network.conv_alpha or network.conv_rank * network.alpha / network.rank

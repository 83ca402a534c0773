"""Values that other trainers' files need and that follow from several of our settings."""

from __future__ import annotations

import math

from advisor.settings.config import NetworkConfig, TrainingConfig


def gui_steps(config: TrainingConfig, exposures: int) -> int:
    """The steps that the GUI works out from `epoch`; it knows nothing of buckets' short batches."""
    schedule = config.schedule
    doubled = 2 if config.dataset.regularization_images else 1
    return math.ceil(exposures / schedule.batch_size / schedule.gradient_accumulation * schedule.epochs * doubled)


def conv_alpha(network: NetworkConfig) -> float:
    """The alpha of convolutions, worked out where it follows that of the others."""
    return network.conv_alpha or network.conv_rank * network.alpha / network.rank

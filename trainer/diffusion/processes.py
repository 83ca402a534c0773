"""Which diffusion process a configuration trains; a new one is a file and a line here."""

from __future__ import annotations

from advisor.families import KNOWN_FAMILIES
from advisor.settings.config import TrainingConfig
from trainer.diffusion.ddpm import Ddpm
from trainer.diffusion.flow import Flow
from trainer.diffusion.process import Process


def process_of(config: TrainingConfig) -> Process:
    """The process by what the base model predicts (`model.prediction`)."""
    if config.model.prediction != "flow":
        return Ddpm(config)
    known = KNOWN_FAMILIES.get(config.model.family)
    return Flow(config.loss, 1.0 if known is None else known.sampling_shift)

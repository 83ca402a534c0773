"""Which diffusion process a configuration trains; a new one is a file and a line here."""

from __future__ import annotations

from advisor.settings.config import TrainingConfig
from trainer.diffusion.ddpm import Ddpm
from trainer.diffusion.flow import Flow
from trainer.diffusion.process import Process


def process_of(config: TrainingConfig) -> Process:
    """The process by what the base model predicts (`model.prediction`)."""
    return Flow(config.loss) if config.model.prediction == "flow" else Ddpm(config)

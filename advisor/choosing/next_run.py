"""The settings of the next run, where this one did not come out well."""

from __future__ import annotations

from collections.abc import Mapping

from advisor.choosing.cells import SettingValue
from advisor.settings.config import MOST_EPOCHS, TrainingConfig
from advisor.units import rounded

MOST_RATE = 10.0
"""What `advisor.settings.config.Rate` allows."""
SELF_TUNED = "prodigy"
"""Finds its rate itself, so that only the length of the training can be changed."""
RATES = ("optimizer.learning_rate", "optimizer.unet_learning_rate", "optimizer.text_encoder_learning_rate")


def gentler(config: TrainingConfig, *, burnt_from: int) -> Mapping[str, SettingValue]:
    """What a run changes that burnt: half the rate, a quarter where even the first epoch was burnt."""
    if config.optimizer.name == SELF_TUNED:
        return _length(config, max(1, burnt_from - 1) / config.schedule.epochs)
    return _rates(config, 0.25 if burnt_from == 1 else 0.5)


def stronger(config: TrainingConfig, *, learned: float) -> Mapping[str, SettingValue]:
    """What a run changes that learned too little: twice the rate where it was next to nothing, else twice the epochs.

    Args:
        learned: the likeness that was reached, 0..1.
    """
    if learned < 0.25 and config.optimizer.name != SELF_TUNED:
        return _rates(config, 2.0)
    return _length(config, 2.0)


def with_trigger(config: TrainingConfig) -> Mapping[str, SettingValue]:
    """What a run changes whose captions do not call the character."""
    if config.dataset.prepend_trigger or not config.run.trigger.strip():
        return {}
    return {"dataset.prepend_trigger": True}


def _rates(config: TrainingConfig, factor: float) -> dict[str, SettingValue]:
    """All rates, so that those which the user chose go along."""
    own = config.optimizer
    values = (own.learning_rate, own.unet_learning_rate, own.text_encoder_learning_rate)
    return {path: min(MOST_RATE, rounded(rate * factor)) for path, rate in zip(RATES, values, strict=True) if rate}


def _length(config: TrainingConfig, factor: float) -> dict[str, SettingValue]:
    epochs = min(MOST_EPOCHS, max(1, round(config.schedule.epochs * factor)))
    found: dict[str, SettingValue] = {"schedule.epochs": epochs}
    if config.schedule.max_steps:
        found["schedule.max_steps"] = max(1, round(config.schedule.max_steps * factor))
    return found

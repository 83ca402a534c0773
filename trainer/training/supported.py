"""What this trainer does not do yet: refused by name, instead of silently left out."""

from __future__ import annotations

from advisor.errors import ConfigError, ConfigErrors
from advisor.planning.limits import copy_error
from advisor.settings.config import TrainingConfig

WITHOUT_DROPOUT = ("dora", "loha", "lokr")
"""Kinds that have no rank-wide intermediate whose elements could be left out; LyCORIS passes over it for them."""


def check_supported(config: TrainingConfig) -> None:
    """Refuse what would otherwise be left out.

    Raises:
        ConfigErrors: all settings that this trainer has no code for.
    """
    errors = list[ConfigError]()
    if config.network.kind in WITHOUT_DROPOUT and config.network.dropout > 0:
        mend = f"{config.network.kind} has network.rank_dropout and network.module_dropout only: 0"
        errors.append(ConfigError("network.dropout", config.network.dropout, mend))
    if (error := copy_error(config)) is not None:
        errors.append(error)
    if config.loss.min_timestep >= config.loss.max_timestep:
        mend = f"it must be below loss.max_timestep, which is {config.loss.max_timestep}"
        errors.append(ConfigError("loss.min_timestep", config.loss.min_timestep, mend))
    if errors:
        raise ConfigErrors(errors)

"""Adapters that a model family has no layers for."""

from __future__ import annotations

from collections.abc import Iterator

from advisor.errors import ConfigError
from advisor.families import KNOWN_FAMILIES
from advisor.settings.config import TrainingConfig


def family_limits(config: TrainingConfig) -> Iterator[tuple[tuple[str, ...], ConfigError]]:
    """(the settings that it is about, what is wrong), of the adapters that the base model's family cannot have."""
    known, network = KNOWN_FAMILIES.get(config.model.family), config.network
    if known is None or known.targets is None:
        return
    if not known.has_convolutions and network.kind == "locon":
        mend = f"{known.title} has no convolutions, so a LoCon would be a LoRA: choose lora"
        yield ("network.kind", "model.family"), ConfigError("network.kind", network.kind, mend)
    if not known.has_convolutions and network.conv_rank:
        mend = f"{known.title} has no convolutions: 0"
        yield ("network.conv_rank", "model.family"), ConfigError("network.conv_rank", network.conv_rank, mend)
    if known.text_adapter_targets is None and network.text_adapter:
        mend = f"{known.title} has no layers between text encoder and denoiser: turn this off"
        yield ("network.text_adapter", "model.family"), ConfigError("network.text_adapter", True, mend)

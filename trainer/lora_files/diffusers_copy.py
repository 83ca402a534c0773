"""The second file of a LoRA, in the names of diffusers and peft (`advisor.adapters.diffusers_names`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

from torch import Tensor

from advisor.adapters.diffusers_names import DESCRIPTION_KEY, SUFFIXES, adapter_description, diffusers_shape, layer_name
from advisor.estimate.disk import adapters_of, planned_copy_header_bytes
from advisor.families.structure import Structure
from advisor.settings.config import TrainingConfig

ENDING = "-diffusers"
"""What the file's name has before its extension."""


def copy_name(name: str) -> str:
    """The copy's name for a LoRA's; both may be paths with slashes."""
    path = PurePath(name)
    return path.with_name(f"{path.stem}{ENDING}{path.suffix}").as_posix()


@dataclass(frozen=True)
class DiffusersCopy:
    """What of the copies is known before training."""

    names: Mapping[str, str]
    """Of the layers: kohya's and diffusers'."""
    description: str
    """Of the adapters, for the header."""
    header_bytes: int

    @classmethod
    def of(cls, config: TrainingConfig, structure: Structure) -> DiffusersCopy | None:
        """As the configuration wants it; None where it wants none."""
        if not config.saving.diffusers_copy:
            return None
        plans = adapters_of(config, structure)
        names = {plan.target.name: layer_name(plan.target) for plan in plans}
        return cls(names, adapter_description(plans), planned_copy_header_bytes(config, structure))

    def metadata(self, metadata: Mapping[str, str]) -> dict[str, str]:
        """The LoRA's metadata with the description."""
        return {**metadata, DESCRIPTION_KEY: self.description}

    def state(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weights of a LoRA in kohya's names, in its dtype; alpha / rank is in the second factor."""
        return diffusers_state(state, self.names)


def diffusers_state(state: Mapping[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    """A LoRA, LoCon or DoRA in diffusers' names, of one in kohya's.

    Args:
        names: diffusers' names of layers by kohya's.
    """
    made = {}
    for key, tensor in state.items():
        layer, _, suffix = key.partition(".")
        if suffix in SUFFIXES:
            alpha = float(state[f"{layer}.alpha"])
            made[f"{names[layer]}.{SUFFIXES[suffix]}"] = _reshaped(suffix, tensor, alpha)
    return made


def _reshaped(suffix: str, tensor: Tensor, alpha: float) -> Tensor:
    if suffix == "lora_up.weight":
        return (tensor.float() * (alpha / tensor.shape[1])).to(tensor.dtype)
    return tensor.reshape(diffusers_shape(suffix, tuple(tensor.shape)))

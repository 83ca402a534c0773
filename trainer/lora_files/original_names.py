"""LoRAs in the names that layers have in the base model's own file (`advisor.adapters.file_names`)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from advisor.adapters.file_names import layer_names, original_layer, original_suffix
from advisor.adapters.layout import adapter_plans
from advisor.families.structure import Structure
from advisor.settings.config import TrainingConfig

SCALED: Mapping[str, int] = {"lora_up.weight": 1, "hada_w2_a": 1, "lokr_w2_b": 0, "lokr_w1_b": 0}
"""The tensors that alpha / rank can be worked into, the first that a layer has, and which of their axes is the rank."""


def original_names(config: TrainingConfig, structure: Structure) -> dict[str, str] | None:
    """The layers' names in the files of a training by kohya's; None where they are kohya's."""
    if layer_names(config) == "kohya":
        return None
    plans = adapter_plans(
        config.model.family, structure, config.network, text_encoder=config.optimizer.trains_text_encoder
    )
    return {plan.target.name: original_layer(plan.target) for plan in plans}


def original_state(state: Mapping[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    """A LoRA of any kind in these names, of one in kohya's; alpha / rank is worked into the weights.

    Args:
        names: of the layers by kohya's.
    """
    made = dict[str, Tensor]()
    scaled = {layer: _scaled(state, layer) for layer in names}
    for key, tensor in state.items():
        layer, _, suffix = key.partition(".")
        if suffix != "alpha":
            made[f"{names[layer]}.{original_suffix(suffix)}"] = scaled[layer].get(suffix, tensor)
    return made


def _scaled(state: Mapping[str, Tensor], layer: str) -> dict[str, Tensor]:
    """The tensor of a layer that changes, by kohya's word; none where alpha counts for nothing or is the rank."""
    alpha = state.get(f"{layer}.alpha")
    suffix = next((one for one in SCALED if f"{layer}.{one}" in state), None)
    if alpha is None or suffix is None:
        return {}
    tensor = state[f"{layer}.{suffix}"]
    scale = float(alpha) / tensor.shape[SCALED[suffix]]
    return {} if scale == 1 else {suffix: (tensor.float() * scale).to(tensor.dtype)}


def kohya_alpha(tensors: Mapping[str, Tensor]) -> Tensor:
    """The alpha of a layer that has none, by kohya's words for its tensors: its rank, or 1 where it has no rank."""
    suffix = next((one for one in SCALED if one in tensors), None)
    return torch.tensor(1.0 if suffix is None else float(tensors[suffix].shape[SCALED[suffix]]))

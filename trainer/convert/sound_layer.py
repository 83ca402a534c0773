"""Whether a layer of somebody's LoRA is one: before its alpha is worked into its weights, or written in other names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from advisor.errors import ModelError

DOWN, UP, ALPHA = "lora_down.weight", "lora_up.weight", "alpha"


def refuse_damaged(source: Path, layer: str, tensors: Mapping[str, Tensor]) -> None:
    """Look at a layer's tensors.

    Args:
        tensors: by kohya's words.

    Raises:
        ModelError: one is empty or holds what is no number, alpha is no single number, or only one of up and down is
            there, or they differ in rank.
    """
    for word, tensor in tensors.items():
        name = f"{layer}.{word}"
        if not tensor.numel():
            raise _damaged(source, f"{name} is empty")
        if word == ALPHA and tensor.numel() != 1:
            raise _damaged(source, f"{name} is {list(tensor.shape)} numbers, not one")
        if not bool(tensor.isfinite().all()):
            raise _damaged(source, f"{name} holds what is no number (NaN or infinite)")
    down, up = tensors.get(DOWN), tensors.get(UP)
    if (down is None) != (up is None):
        raise ModelError(f"{source} lacks a part of {layer}: it is cut short; copy or download it anew")
    if down is not None and up is not None and (min(down.ndim, up.ndim) < 2 or up.shape[1] != down.shape[0]):
        raise _damaged(source, f"{layer} goes down to {list(down.shape)} and up from {list(up.shape)}")


def _damaged(source: Path, why: str) -> ModelError:
    return ModelError(f"{source} is damaged: {why}; copy or download it anew")

"""Weights read from safetensors files into networks that were built without any, one tensor at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from advisor.errors import ModelError
from trainer.clip_text import text_root

SHOWN = 5
"""How many names a message holds."""


class Weights:
    """The tensors of one or more safetensors files."""

    def __init__(self, handles: Mapping[str, Any], where: Path) -> None:
        """Know which open file holds which tensor."""
        self._handles = handles
        self.where = where

    @property
    def names(self) -> frozenset[str]:
        """What the tensors are called in the files."""
        return frozenset(self._handles)

    def tensor(self, name: str) -> Tensor:
        """One tensor, which may lie in the file still."""
        tensor: Tensor = self._handles[name].get_tensor(name)
        return tensor


@contextmanager
def open_weights(paths: Sequence[Path], where: Path) -> Iterator[Weights]:
    """The tensors of these files, which stay open until the block ends.

    Raises:
        ModelError: a file cannot be read; `where` is named.
    """
    try:
        with ExitStack() as stack:
            handles: dict[str, Any] = {}
            for path in paths:
                handle = stack.enter_context(safe_open(path, framework="pt"))
                handles |= dict.fromkeys(handle.keys(), handle)
            yield Weights(handles, where)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{where} cannot be read: {error}; copy or download it anew") from error


def fill(
    network: nn.Module, names: Mapping[str, str], weights: Weights, *, dtype: torch.dtype, device: torch.device
) -> None:
    """Give a network built on `meta` its weights and freeze it.

    Args:
        names: for each of the network's own names, the file's.

    Raises:
        ModelError: weights are missing or of another shape; they are named.
    """
    refuse_missing([name for name in names.values() if name not in weights.names], weights.where)
    state = {}
    for own, parameter in network.state_dict().items():
        tensor = _fitted(weights.tensor(names[own]), parameter.shape, names[own], weights.where)
        # A copy, so that nothing depends on the file from here on.
        state[own] = tensor.to(device=device, dtype=dtype, copy=True)
    network.load_state_dict(state, assign=True)
    network.requires_grad_(False)
    network.eval()


def fill_positions(text_encoder: nn.Module, device: torch.device) -> None:
    """Give a text encoder the numbering of its places, which no file needs to hold."""
    embeddings = text_root(text_encoder).embeddings
    count = embeddings.position_embedding.weight.shape[0]
    embeddings.position_ids = torch.arange(count, device=device).expand(1, -1)


def refuse_missing(names: Sequence[str], where: Path) -> None:
    """Raise a ModelError if any name is missing."""
    if names:
        raise ModelError(f"{where} lacks {named(names)}: it is cut short or no full model; choose another base model")


def refuse_unexpected(names: Sequence[str], where: Path) -> None:
    """Raise a ModelError if any name is unexpected."""
    if names:
        raise ModelError(
            f"{where} has weights that this family has no place for: {named(names)}; it is of another kind, choose "
            "another base model"
        )


def named(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    first = ", ".join(sorted(names)[:SHOWN])
    return f"{first} and {len(names) - SHOWN} more" if len(names) > SHOWN else first


def _fitted(tensor: Tensor, shape: torch.Size, name: str, where: Path) -> Tensor:
    """The tensor in a shape that may differ by sides of 1 only (linear layers kept as 1x1 convolutions)."""
    if [side for side in tensor.shape if side > 1] != [side for side in shape if side > 1]:
        raise ModelError(
            f"{where}: {name} has the shape {list(tensor.shape)}, wanted is {list(shape)}: the file is damaged or of "
            "another kind"
        )
    return tensor.reshape(shape)

"""Gradient checkpointing of some of a denoiser's blocks: their activations are computed anew in the backward pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint


def checkpoint_first(denoiser: Any, blocks: Sequence[nn.Module], count: int) -> None:
    """From now on keep nothing within the first `count` blocks but what their parts are given.

    The first: what they would keep is kept for the longest, and most of it is of the largest pictures.

    Args:
        denoiser: a network of diffusers', which asks of each part whether it is checkpointed.
        blocks: all of its blocks, in the order in which they are computed.
        count: of blocks; 0: all.
    """
    chosen = {part for block in blocks[: count or len(blocks)] for part in block.modules()}

    def run(part: nn.Module, *inputs: Any) -> Any:
        return checkpoint(part, *inputs, use_reentrant=False) if part in chosen else part(*inputs)

    denoiser.enable_gradient_checkpointing(run)

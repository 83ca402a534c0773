"""Optimizer steps that are left out where a number is not finite, decided on the device.

Fused optimizers look at `found_inf` themselves, which torch's GradScaler sets for float16; whoever reads the number on
the processor instead waits for the card in every step.
"""

from __future__ import annotations

import torch
from torch import Tensor


def decides_on_device(optimizer: torch.optim.Optimizer) -> bool:
    """Whether the optimizer can leave out a step by itself: AdamW where it is fused."""
    return bool(getattr(optimizer, "_step_supports_amp_scaling", False))


def step_if_finite(optimizer: torch.optim.Optimizer, numbers: Tensor) -> None:
    """A step of an optimizer that `decides_on_device`, unless one of `numbers` is NaN or infinite."""
    optimizer.grad_scale = None  # type: ignore[attr-defined]  # both as GradScaler sets them
    optimizer.found_inf = numbers.isfinite().all().logical_not().float()  # type: ignore[attr-defined]
    try:
        optimizer.step()
    finally:
        del optimizer.grad_scale, optimizer.found_inf  # type: ignore[attr-defined]

"""The smoothed loss, the same in the progress bar, the report, TensorBoard and Weights & Biases."""

from __future__ import annotations

SMOOTHING = 0.05
"""Weight of a new loss in the exponential moving average: a single step's loss depends mostly on its timesteps."""


def smoothed(before: float | None, loss: float) -> float:
    """The moving average after one more loss.

    Args:
        before: the average so far; None: this is the first loss, with which it begins.
    """
    return loss if before is None else before + SMOOTHING * (loss - before)

"""The side of a layer that a DoRA has lengths for."""

from __future__ import annotations

from typing import Literal

DoraAxis = Literal["input", "output"]
"""One length for each input, over all outputs (the paper's columns), or the other way round (peft, LyCORIS)."""


def magnitude_axis(shape: tuple[int, ...]) -> DoraAxis:
    """The axis of a `dora_scale` of that shape: [1, I] or [O, 1], for convolutions with further 1s."""
    return "input" if len(shape) > 1 and shape[0] == 1 else "output"

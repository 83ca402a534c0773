"""Adapters of a weight that base models' files have as one and our networks as several: an attention's `qkv`.

Such a weight's rows are those of its layers, one after another, in equal shares. What an adapter adds to it falls into
the same shares: the factors that have a row for each of its outputs are cut, all others are each layer's.
"""

from __future__ import annotations

from dataclasses import dataclass

from advisor.adapters.layout import MAGNITUDE, Shape
from advisor.checkpoints.dora_axis import magnitude_axis

BY_OUTPUT = frozenset({"lora_up.weight", "hada_w1_a", "hada_w2_a", MAGNITUDE})
"""Tensors, by kohya's words, with a row for each output."""
WHOLE = frozenset({"lora_down.weight", "hada_w1_b", "hada_w2_b", "alpha"})
"""Those that all outputs have in common."""


@dataclass(frozen=True)
class RowShare:
    """Which rows of a weight are a layer's."""

    number: int = 0
    """Counted from 0."""
    of: int = 1
    """Equal shares; 1: all rows."""

    def cuts(self, suffix: str) -> bool:
        """Whether a tensor, by kohya's word, is cut into such shares."""
        return self.of > 1 and suffix in BY_OUTPUT

    def shape(self, suffix: str, found: Shape) -> Shape:
        """What of a tensor's shape is the layer's; that of one which cannot be cut is as it was."""
        if not self.cuts(suffix) or not found or found[0] % self.of:
            return found
        return (found[0] // self.of, *found[1:])


def can_share(suffix: str, shape: Shape) -> bool:
    """Whether a tensor of an adapter for several layers at once can be each one's."""
    if suffix == MAGNITUDE and len(shape) > 1:
        return magnitude_axis(shape) == "output"
    return suffix in BY_OUTPUT | WHOLE

"""Language models that captions are read with, by their measures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LanguageStructure:
    """A `Qwen3Model` that captions are read with."""

    width: int
    layers: int
    heads: int
    key_value_heads: int
    head_width: int
    mlp_width: int
    vocab_size: int
    unread_layers: int = 0
    """At its end, which are in the file and not computed: the states before them are what captions become. Where there
    are any, the norm after the last layer is not computed either."""

    @property
    def parameters(self) -> int:
        """Weights that are computed with, without the layer that guesses the next word; 596,049,920 for Qwen3-0.6B."""
        attention = (2 * self.heads + 2 * self.key_value_heads) * self.head_width * self.width + 2 * self.head_width
        layer = attention + 3 * self.width * self.mlp_width + 2 * self.width
        norm = 0 if self.unread_layers else self.width
        return self.vocab_size * self.width + (self.layers - self.unread_layers) * layer + norm

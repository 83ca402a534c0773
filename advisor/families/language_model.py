"""Language models that captions are read with, by their measures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LinearLayers:
    """The linear layers of a network."""

    weights: int
    """Of all of them."""
    rows: int
    """Their output channels."""
    largest: int
    """Weights of the largest."""


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

    @property
    def linear_layers(self) -> LinearLayers:
        """Those that are computed with."""
        queries, keys = self.heads * self.head_width, self.key_value_heads * self.head_width
        weights = 2 * (queries + keys) * self.width + 3 * self.width * self.mlp_width
        rows = queries + 2 * keys + 2 * self.width + 2 * self.mlp_width
        read = self.layers - self.unread_layers
        return LinearLayers(read * weights, read * rows, self.width * max(self.mlp_width, queries))

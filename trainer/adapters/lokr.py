"""LoKr: the Kronecker product of a small and a large factor; the large one is of low rank where that is smaller.

KronA, Edalati et al. 2022: arxiv.org/abs/2212.10650. First values and tensors as LyCORIS has them.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from trainer.adapters.adapter import product_square, uniform
from trainer.adapters.weight_adapter import WeightAdapter


class LokrLayer(WeightAdapter):
    """The change is `w1 (x) w2`, with w2 whole or `w2_a w2_b * alpha / rank`."""

    names = {"w1": "lokr_w1", "w2": "lokr_w2", "w2_a": "lokr_w2_a", "w2_b": "lokr_w2_b"}  # noqa: RUF012
    grown = ("w2", "w2_b")
    copied = ("w1", "w2", "w2_a", "w2_b")
    w1: nn.Parameter
    w2: nn.Parameter
    w2_a: nn.Parameter
    w2_b: nn.Parameter

    def first_values(self, own: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Uniform values; the large factor is zero."""
        return torch.zeros(shape) if own in self.grown else uniform(shape, generator)

    @property
    def is_whole(self) -> bool:
        """Whether no factor is of low rank; alpha then counts for nothing, in every program that reads it."""
        return hasattr(self, "w2")

    def scale_for(self, alpha: float) -> float:
        """What the change is multiplied by."""
        return 1.0 if self.is_whole else super().scale_for(alpha)

    @property
    def file_alpha(self) -> float:
        """The rank where alpha counts for nothing, as LyCORIS writes it: readers that divide by the rank get 1."""
        return float(self.rank) if self.is_whole else self.alpha

    def change(self, weight: Tensor, factors: Mapping[str, Tensor], rows: Tensor | None) -> Tensor:
        """What is added to the layer's weight."""
        low = {name: factor.to(weight.dtype) for name, factor in factors.items()}
        large = low["w2"].flatten(1) if self.is_whole else (low["w2_a"] * self.scale) @ low["w2_b"]
        change = torch.kron(low["w1"], large)
        return (change if rows is None else change * rows).view(weight.shape)

    @torch.no_grad()
    def norm(self) -> Tensor:
        """The Frobenius norm of the weight delta: the product of the factors' norms."""
        large = self.w2.square().sum() if self.is_whole else product_square(self.w2_a, self.w2_b)
        return (self.w1.square().sum() * large.clamp(min=0)).sqrt() * self.scale

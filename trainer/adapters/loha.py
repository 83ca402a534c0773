"""LoHa: two products of low rank, multiplied element by element, so that rank R reaches up to R squared.

FedPara, Hyeon-Woo et al. 2022, section 2.2: arxiv.org/abs/2108.06098. First values and tensors as LyCORIS has them.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from trainer.adapters.weight_adapter import WeightAdapter

FIRST_SPREADS = {"w1_a": 0.1, "w1_b": 1.0, "w2_b": 1.0}
"""Standard deviations of the first values; `w2_a` is zero."""


class LohaLayer(WeightAdapter):
    """The change is `(w1_a w1_b) * (w2_a w2_b) * alpha / rank` with w_a [O, R] and w_b [R, I k k]."""

    names = {"w1_a": "hada_w1_a", "w1_b": "hada_w1_b", "w2_a": "hada_w2_a", "w2_b": "hada_w2_b"}  # noqa: RUF012
    grown = ("w2_a",)
    copied = ("w1_a", "w1_b", "w2_a", "w2_b")
    w1_a: nn.Parameter
    w1_b: nn.Parameter
    w2_a: nn.Parameter
    w2_b: nn.Parameter

    def first_values(self, own: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Normal values, but one factor of zeros."""
        return torch.randn(shape, generator=generator) * FIRST_SPREADS.get(own, 0.0)

    def change(self, weight: Tensor, factors: Mapping[str, Tensor], rows: Tensor | None) -> Tensor:
        """What is added to the layer's weight."""
        low = {name: factor.to(weight.dtype) for name, factor in factors.items()}
        left = low["w1_a"] * self.scale if rows is None else low["w1_a"] * (rows * self.scale)
        return ((left @ low["w1_b"]) * (low["w2_a"] @ low["w2_b"])).view(weight.shape)

    @torch.no_grad()
    def norm(self) -> Tensor:
        """The Frobenius norm of the weight delta."""
        return ((self.w1_a @ self.w1_b) * (self.w2_a @ self.w2_b)).square().sum().sqrt() * self.scale

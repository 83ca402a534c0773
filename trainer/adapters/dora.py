"""DoRA: a LoRA for the directions of a layer's weights, and trained lengths for them.

Liu et al. 2024, eq. 5: arxiv.org/abs/2402.09353, whose lengths are those of the weight's columns: one for each input
(or input channel, over all places of the kernel). LyCORIS by default, peft and diffusers have one for each output
instead. Gradients reach the lengths' divisor too (eq. 6), which the paper leaves out to save memory that we do not
need for it. Who reads which: docs/decisions/0009-adapters.md.

Letters: O outputs, I inputs, R rank, K places of a convolution's kernel (1 for a linear layer).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from advisor.adapters.layout import MAGNITUDE, AdapterPlan
from advisor.checkpoints.dora_axis import magnitude_axis
from trainer.adapters.adapter import Dropouts, Layer, product_square, uniform
from trainer.adapters.weight_adapter import WeightAdapter
from trainer.layers.frozen_weight import frozen_weight


class DoraLayer(WeightAdapter):
    """The changed weight is `magnitude * (W + s up down) / |W + s up down|` with s = alpha / rank."""

    names = {"down": "lora_down.weight", "up": "lora_up.weight", "magnitude": MAGNITUDE}  # noqa: RUF012
    grown = ("up",)
    down: nn.Parameter
    up: nn.Parameter
    magnitude: nn.Parameter
    squares: Tensor
    """The squared lengths of the layer's own weights, [I] or [O]."""

    def __init__(self, layer: Layer, plan: AdapterPlan, dropouts: Dropouts, generator: torch.Generator) -> None:
        """A new adapter, whose magnitudes are the layer's own."""
        super().__init__(layer, plan, dropouts, generator)
        self.axis = magnitude_axis(plan.shapes[MAGNITUDE])
        weight = frozen_weight(layer).whole().detach()
        wide = torch.promote_types(weight.dtype, torch.float32)
        by_axis = weight if self.axis == "output" else weight.transpose(0, 1)
        squares = torch.linalg.vector_norm(by_axis.flatten(1), dim=1, dtype=wide).square()
        self.register_buffer("squares", squares, persistent=False)
        with torch.no_grad():
            self.magnitude.copy_(squares.sqrt().view(self.magnitude.shape))

    def first_values(self, own: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """As a LoRA's; the lengths follow from the layer."""
        return uniform(shape, generator) if own == "down" else torch.zeros(shape)

    def factors(self) -> list[nn.Parameter]:
        """The LoRA's tensors."""
        return [self.down, self.up]

    def change(self, weight: Tensor, factors: Mapping[str, Tensor], rows: Tensor | None) -> Tensor:
        """What is added to the layer's weight."""
        down, up = factors["down"].flatten(1), factors["up"].flatten(1) * self.scale
        up = up if rows is None else up * rows
        whole = weight.flatten(1)
        ratio = self._spread(factors["magnitude"].flatten() / self._lengths(whole, down, up), whole.shape[1])
        added = up.to(weight.dtype) @ down.to(weight.dtype)
        longer, ratio = (ratio - 1).to(weight.dtype), ratio.to(weight.dtype)
        return (whole * longer + added * ratio).view(weight.shape)

    def _spread(self, ratio: Tensor, width: int) -> Tensor:
        """One factor for each column [1, I K] or row [O, 1] of the flat weight."""
        if self.axis == "output":
            return ratio[:, None]
        return ratio.repeat_interleave(width // ratio.numel())[None, :]

    def _lengths(self, weight: Tensor, down: Tensor, up: Tensor) -> Tensor:
        """|W + up down| by inputs [I] or outputs [O] for the flat weight [O, I K].

        From products that are only R wide: |W|^2 + 2 W (up down)' + |up down|^2.
        """
        if self.axis == "output":
            across = (weight @ down.to(weight.dtype).t()).to(up.dtype)
            squares = self.squares + 2 * (up * across).sum(1) + ((up @ (down @ down.t())) * up).sum(1)
        else:
            across = (up.to(weight.dtype).t() @ weight).to(down.dtype)
            added = 2 * (down * across).sum(0) + (((up.t() @ up) @ down) * down).sum(0)
            squares = self.squares + added.view(self.squares.numel(), -1).sum(1)
        return squares.clamp(min=torch.finfo(squares.dtype).tiny).sqrt()

    @torch.no_grad()
    def norm(self) -> Tensor:
        """The Frobenius norm of the LoRA's delta, without the magnitudes."""
        return product_square(self.up.flatten(1), self.down.flatten(1)).clamp(min=0).sqrt() * self.scale

"""How far a picture is from what the base model draws and from what the set shows, in ways that belong to no motif.

A set of flat, saturated drawings is no damage: what either the base model's pictures or those of the set have is as it
should be. Burnt pictures are neither: too bright in colour, too hard, noisy, blurred, or of parts that nobody drew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d

from trainer.evaluate.colours import lab
from trainer.evaluate.shared_parts import Comparison, Parts

LAPLACE = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))
BLUR_PX, WIDE_PX = 3, 9
USUAL = 0.05
"""The share of the usual pictures on each side that may lie outside of what is counted as usual."""
TINY = 1e-3
"""Keeps the logarithm of an even picture's figures finite."""


def look_of(pixels: Tensor) -> Tensor:
    """Four figures of a picture [3, h, w] in 0..255: the mean saturation (chroma in L*a*b*), the contrast (standard
    deviation of L*), the finest details (mean absolute Laplacian of L*), and details some pixels wide.
    """
    light, a, b = lab(pixels)
    grey = light[None, None]
    fine = conv2d(grey, torch.tensor(LAPLACE)[None, None]).abs().mean()
    blurred = avg_pool2d(grey, BLUR_PX, 1, BLUR_PX // 2, count_include_pad=False)
    wide = avg_pool2d(blurred, WIDE_PX, 1, WIDE_PX // 2, count_include_pad=False)
    chroma = torch.sqrt(a.square() + b.square()).mean()
    return torch.stack([chroma, light.std(correction=0), fine, (blurred - wide).abs().mean()])


@dataclass(frozen=True)
class UsualLooks:
    """Between which figures usual pictures lie."""

    low: Tensor
    high: Tensor

    @classmethod
    def of(cls, kinds: Sequence[Sequence[Tensor]]) -> UsualLooks:
        """By several kinds of usual pictures, none of them empty: all that lies within or between them is usual."""
        stacked = [torch.stack(list(looks)) for looks in kinds]
        low = torch.stack([looks.quantile(USUAL, 0) for looks in stacked]).amin(0)
        return cls(low, torch.stack([looks.quantile(1 - USUAL, 0) for looks in stacked]).amax(0))

    def excess(self, look: Tensor, own: Tensor) -> float:
        """The natural logarithm of the factor by which the worst figure lies outside; 0: all are usual.

        Args:
            own: that of the base model's picture with the same prompt and seed, which is usual there.
        """
        high, low = torch.maximum(self.high, own), torch.minimum(self.low, own)
        above = ((look + TINY) / (high + TINY)).log()
        below = ((low + TINY) / (look + TINY)).log()
        return float(torch.maximum(above, below).amax().clamp_min(0))


@dataclass(frozen=True)
class UsualParts:
    """The parts that usual pictures are made of."""

    comparison: Comparison
    pictures: tuple[Parts, ...]
    """Prepared."""
    most: float
    """How odd pictures of the kind that varies most are to all others, but for a tenth of them."""

    @classmethod
    def of(cls, kinds: Sequence[Sequence[Parts]], comparison: Comparison) -> UsualParts | None:
        """By several kinds of usual pictures; None where none of them has three, which may differ from one another."""
        prepared = [[comparison.prepared(parts) for parts in kind] for kind in kinds]
        together = [one for kind in prepared for one in kind]
        most = [_most_odd(kind, together, comparison) for kind in prepared if len(kind) > 2]
        return cls(comparison, tuple(together), max(TINY, *most)) if most else None

    def excess(self, picture: Parts) -> float:
        """The natural logarithm of how many times odder a picture is than usual ones are; 0: not odder."""
        odd = _oddness(self.comparison.prepared(picture), self.pictures, self.comparison)
        return float(torch.tensor(max(odd, TINY) / self.most).log().clamp_min(0))


def _most_odd(kind: Sequence[Parts], together: Sequence[Parts], comparison: Comparison) -> float:
    """How odd a picture of a kind is to all others, but for a tenth of them."""
    odd = [_oddness(one, [other for other in together if other is not one], comparison) for one in kind]
    return float(torch.tensor(odd).quantile(1 - 2 * USUAL))


def _oddness(picture: Parts, others: Sequence[Parts], comparison: Comparison) -> float:
    """How unlike its parts are to the most similar ones of others, on average; 0: all are there."""
    return 1.0 - float(comparison.nearest(picture, torch.cat(list(others))).mean())

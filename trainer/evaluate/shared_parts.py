"""What some pictures have in common and others lack, and how much of it a picture has.

A picture is a set of parts: one descriptor for each of its places. A part is shared where the other pictures of its
kind have one like it, wherever it lies in them, and it tells something where the opposite pictures have none: the face
and the coat of a character, not the sky behind it.

Letters: P parts of a picture, R parts of all pictures of a kind, D a descriptor's length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

Parts = Tensor
"""A picture's descriptors [P, D], in float32 on the CPU."""
LEAST_SHARED = 1e-6
"""Kinds that differ by less differ by rounding alone."""


class Comparison(Protocol):
    """How alike two parts are."""

    def prepared(self, parts: Parts) -> Parts:
        """The parts as `nearest` takes them."""

    def nearest(self, parts: Parts, others: Parts) -> Tensor:
        """How like the most similar of `others` [P, D] each of `parts` [R, D] is: [R], at most 1."""


@dataclass(frozen=True)
class Angle:
    """The cosine of two descriptors, each value relative to its mean and spread."""

    mean: Tensor
    spread: Tensor

    @classmethod
    def of(cls, pictures: Sequence[Parts]) -> Angle:
        """By the mean and the spread in these pictures."""
        together = torch.cat(list(pictures))
        return cls(together.mean(0), together.std(0, correction=0).clamp_min(LEAST_SHARED))

    def prepared(self, parts: Parts) -> Parts:
        """Relative, and of length 1."""
        return torch.nn.functional.normalize((parts - self.mean) / self.spread, dim=-1)

    def nearest(self, parts: Parts, others: Parts) -> Tensor:
        """The greatest cosine, -1..1."""
        return (parts @ others.T).amax(1)


@dataclass(frozen=True)
class Nearness:
    """A bell curve of the distance between two descriptors."""

    width: float
    """The distance, in the descriptors' unit, at which the likeness is exp(-1/2)."""

    def prepared(self, parts: Parts) -> Parts:
        """In units of the width."""
        return parts / self.width

    def nearest(self, parts: Parts, others: Parts) -> Tensor:
        """By the least distance, 0..1."""
        return torch.exp(-0.5 * torch.cdist(parts, others).amin(1).square())


@dataclass(frozen=True)
class SharedParts:
    """The parts of some pictures, weighed by how much these share them and the opposite ones lack them."""

    comparison: Comparison
    parts: Parts
    """[R, D], prepared."""
    opposite: Tensor
    """[R]: how near the opposite pictures come to each part, on average."""
    weights: Tensor
    """[R]: how much nearer the other pictures of the kind come, at least 0."""
    left_out: Tensor
    """[K, R] of 0 and 1: a picture of the kind is not compared with its own parts."""

    @classmethod
    def of(cls, kind: Sequence[Parts], opposite: Sequence[Parts], comparison: Comparison) -> SharedParts | None:
        """What the pictures of a kind share; None where they have nothing that the opposite ones lack.

        Args:
            kind: at least one picture; of a single one all is taken to be shared.
        """
        prepared = [comparison.prepared(parts) for parts in kind]
        parts = torch.cat(prepared)
        owner = torch.cat([torch.full((len(one),), number) for number, one in enumerate(prepared)])
        left_out = (owner[None] != torch.arange(len(prepared))[:, None]).float()
        if len(prepared) == 1:
            left_out = torch.ones_like(left_out)
        near = torch.stack([comparison.nearest(parts, one) for one in prepared])
        common = (near * left_out).sum(0) / left_out.sum(0)
        far = torch.stack([comparison.nearest(parts, comparison.prepared(one)) for one in opposite]).mean(0)
        found = cls(comparison, parts, far, (common - far).clamp_min(0), left_out)
        return found if float(found.weights.square().sum()) > LEAST_SHARED else None

    def found_in(self, picture: Parts, own: int | None = None) -> float:
        """How much of it a picture has: 0 as the opposite pictures on average, 1 as the kind's have of each other.

        Less than 0 where it is farther from all of it than the opposite pictures are.

        Args:
            own: which picture of the kind it is; it is then held against the others' parts alone.
        """
        weights = self.weights if own is None else self.weights * self.left_out[own]
        near = self.comparison.nearest(self.parts, self.comparison.prepared(picture))
        most = (weights * self.weights).sum().clamp_min(LEAST_SHARED)
        return float((weights * (near - self.opposite)).sum() / most)

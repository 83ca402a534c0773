"""What all kinds of adapters have in common: their tensors, how they hook into a layer, dropout."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from advisor.adapters.layout import AdapterPlan
from trainer.layers.frozen_weight import frozen_weight

Layer = nn.Linear | nn.Conv2d


@dataclass(frozen=True)
class Rows:
    """The samples of a batch that a forward pass has, where it has not all of them."""

    start: int
    stop: int
    of: int
    """How many the batch has."""

    def of_axis(self, length: int) -> tuple[int, slice]:
        """How long an axis of this length would be of the whole batch, and where it lies in that.

        Args:
            length: a multiple of the samples, each of which has its entries in a row (a caption's chunks).
        """
        each = length // (self.stop - self.start)
        return self.of * each, slice(self.start * each, self.stop * each)


@dataclass(frozen=True)
class Dropouts:
    """Dropout rates of an adapter, 0..1."""

    inner: float = 0.0
    """Of the rank-wide intermediate's elements."""
    ranks: float = 0.0
    """Of the ranks, for each sample anew; of the outputs, in kinds that change the layer's weight."""
    adapters: float = 0.0
    """Of the adapters as a whole."""

    @property
    def any(self) -> bool:
        """Whether any rate is above 0."""
        return max(self.inner, self.ranks, self.adapters) > 0


class Adapter(nn.Module, ABC):
    """An adapter for one layer, whose tensors are float32 whatever the layer computes in.

    While attached, the layer's `forward` is ours; the layer's parameters and names stay as they are.
    """

    names: ClassVar[Mapping[str, str]]
    """Its tensors' own names and, for each, what stands in a file after the layer's name; a few may be absent."""
    grown: ClassVar[tuple[str, ...]]
    """The tensors, one of which it has, that are zero at first, so that a new adapter changes nothing."""
    copied: ClassVar[tuple[str, ...]] = ()
    """The tensors that it computes with in its input's dtype alone, so that a step may cast them for it."""
    folded: ClassVar[str | None] = None
    """The one of these whose copy is multiplied by `copied_scale`."""

    def __init__(self, layer: Layer, plan: AdapterPlan, dropouts: Dropouts, generator: torch.Generator) -> None:
        """A new adapter, whose output is zero; its first values are drawn with `generator` (on the CPU)."""
        super().__init__()
        # In a tuple, so that the base model's layer does not become a part of the network.
        self._layer = (layer,)
        self.rank = plan.rank
        self.alpha = plan.alpha
        self.multiplier = 1.0
        self.dropouts = dropouts
        self._step_seed = 0
        self._skipped = False
        self.rows: Rows | None = None
        """What the forward passes have of the batch for which dropout is drawn; None: all of it."""
        self.copies: dict[str, Tensor] = {}
        """Within a training step: the tensors in `copied` in the dtype of the base model (`ComputeCopies`)."""
        device = frozen_weight(layer).device
        for own, suffix in self.names.items():
            if suffix in plan.shapes:
                values = self.first_values(own, plan.shapes[suffix], generator)
                self.register_parameter(own, nn.Parameter(values.to(device)))

    @abstractmethod
    def first_values(self, own: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """What the tensor of that name begins with."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """What layer and adapter give for `x` [B, ..., I] or [B, I, h, w]."""

    @abstractmethod
    def norm(self) -> Tensor:
        """The Frobenius norm of its weight delta, a scalar on the adapter's device."""

    @property
    def layer(self) -> Layer:
        """The base model's layer."""
        return self._layer[0]

    @property
    def scale(self) -> float:
        """The factor on its output: alpha / rank."""
        return self.scale_for(self.alpha)

    @property
    def copied_scale(self) -> float:
        """What the tensor in `folded` is multiplied by as it is copied."""
        return self.multiplier * self.scale

    def scale_for(self, alpha: float) -> float:
        """What its output would be multiplied by with another alpha."""
        return alpha / self.rank

    @property
    def file_alpha(self) -> float:
        """The alpha that is written into files."""
        return self.alpha

    @property
    def tensors(self) -> dict[str, nn.Parameter]:
        """Its tensors by what stands in a file after the layer's name and a point."""
        return {self.names[own]: parameter for own, parameter in self.named_parameters()}

    @property
    def scaled_tensors(self) -> dict[str, Tensor]:
        """The same with alpha / rank in one of them, so that alpha is the rank for who reads them."""
        return {
            self.names[own]: parameter.detach() * (self.scale if own in self.grown else 1.0)
            for own, parameter in self.named_parameters()
        }

    def factors(self) -> list[nn.Parameter]:
        """The tensors whose product it adds."""
        return list(self.parameters())

    @torch.no_grad()
    def load(self, tensors: Mapping[str, Tensor], alpha: float | None) -> None:
        """Take over a file's tensors; another alpha than ours (none: the rank) is worked into them."""
        rescaled = self.scale_for(self.rank if alpha is None else alpha) / self.scale
        for own, parameter in self.named_parameters():
            factor = rescaled if own in self.grown else 1.0
            parameter.copy_(tensors[self.names[own]].to(parameter.dtype) * factor)

    @torch.no_grad()
    def cap_norm(self, most: float) -> None:
        """Scale all factors alike, so that its weight delta has at most this Frobenius norm."""
        factors = self.factors()
        ratio = (most / self.norm().clamp(min=most)) ** (1 / len(factors))
        for factor in factors:
            factor.mul_(ratio)

    def attach(self) -> None:
        """Take part in the layer's forward pass."""
        self.layer.forward = self.forward  # type: ignore[method-assign, assignment]

    def detach(self) -> None:
        """Leave the layer as it was."""
        self.layer.__dict__.pop("forward", None)

    @contextmanager
    def on(self, layer: Layer) -> Iterator[None]:
        """Within, it is the adapter of this layer instead of its own: of one with the same measures."""
        own, self._layer = self._layer, (layer,)
        try:
            yield
        finally:
            self._layer = own

    def seed_dropout(self, seed: int) -> None:
        """Seed dropout until the next call; a forward pass that is computed again drops the same."""
        self._step_seed = seed
        if self.dropouts.adapters > 0:
            rng = torch.Generator("cpu").manual_seed(seed)
            self._skipped = float(torch.rand((), generator=rng)) < self.dropouts.adapters

    @property
    def is_off(self) -> bool:
        """Whether the layer is to answer alone."""
        return self.multiplier == 0 or (self.training and self._skipped)

    def rng(self, device: torch.device) -> torch.Generator:
        """A generator on `device`, seeded alike until the next step."""
        return torch.Generator(device).manual_seed(self._step_seed + 1)

    def layer_alone(self, x: Tensor) -> Tensor:
        """What the layer gives without an adapter."""
        return type(self.layer).forward(self.layer, x)  # type: ignore[arg-type]


def attached_to(layer: nn.Module) -> Adapter | None:
    """The adapter that takes part in a layer's forward pass; None where the layer answers alone."""
    owner = getattr(layer.__dict__.get("forward"), "__self__", None)
    return owner if isinstance(owner, Adapter) else None


def uniform(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Values as torch's own layers begin with: kaiming's uniform with a = root of 5."""
    return nn.init.kaiming_uniform_(torch.empty(shape), a=5**0.5, generator=generator)


def product_square(first: Tensor, second: Tensor) -> Tensor:
    """The squared Frobenius norm of `first @ second` for [O, R] and [R, I], without forming the product."""
    return ((first.t() @ first) * (second @ second.t())).sum()


def flat(tensor: Tensor) -> Tensor:
    """[..., I] as [T, I]."""
    return tensor.reshape(-1, tensor.shape[-1])

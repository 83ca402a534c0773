"""Copies of adapters in the compute dtype: cast all at once for a step, their gradients gathered all at once.

A layer that casts its own float32 tensors does so again in its backward pass and casts their gradients back: six
operations of each adapter in each step, thousands of a step, each of which the processor starts on a card. Here they
are a handful (`torch._foreach_*`). alpha / rank is multiplied into one tensor of each adapter before it is rounded; a
factor that is a power of two changes no result by that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate

import torch
from torch import Tensor, nn

from advisor.estimate.adapter_copies import GATHERED_BYTES
from trainer.adapters.adapter import Adapter


@dataclass(frozen=True)
class _Copy:
    """A tensor of an adapter, and its copy, which is multiplied by `factor`."""

    adapter: Adapter
    own: str
    master: nn.Parameter
    low: Tensor

    @property
    def factor(self) -> float:
        return self.adapter.copied_scale if self.own == self.adapter.folded else 1.0


@dataclass
class ComputeCopies:
    """Copies of the tensors that adapters compute with in a dtype lower than theirs; none where that is theirs."""

    _copies: list[_Copy] = field(default_factory=list)

    @classmethod
    def of(cls, adapters: Iterable[Adapter], dtype: torch.dtype) -> ComputeCopies:
        """Copies of what is trained, without values worth having, in memory of their own."""
        made = []
        for adapter in adapters:
            for own in adapter.copied:
                master = getattr(adapter, own, None)
                if isinstance(master, nn.Parameter) and master.requires_grad and master.dtype != dtype:
                    low = torch.empty_like(master, dtype=dtype, requires_grad=True)
                    made.append(_Copy(adapter, own, master, low))
        return cls(made)

    @property
    def tensors(self) -> list[Tensor]:
        """The copies themselves."""
        return [one.low for one in self._copies]

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Within, the adapters compute with copies of the values that their tensors have now."""
        self._cast()
        for one in self._copies:
            one.adapter.copies[one.own] = one.low
        try:
            yield
        finally:
            for one in self._copies:
                one.adapter.copies.clear()
                one.low.grad = None

    @torch.no_grad()
    def _cast(self) -> None:
        plain = [one for one in self._copies if one.factor == 1.0]
        folded = [one for one in self._copies if one.factor != 1.0]
        if plain:
            torch._foreach_copy_([one.low for one in plain], [one.master for one in plain])
        if folded:
            scaled = torch._foreach_mul([one.master for one in folded], [one.factor for one in folded])
            torch._foreach_copy_([one.low for one in folded], scaled)

    @torch.no_grad()
    def gather_gradients(self) -> None:
        """Add the gradients of the last backward pass to those of the adapters' own tensors, in float32."""
        found = [one for one in self._copies if one.low.grad is not None]
        # Some at a time, so that few gradients are there twice.
        while found:
            count = _fitting([one.master.numel() for one in found])
            _gather(found[:count])
            found = found[count:]


def _fitting(sizes: Sequence[int]) -> int:
    """How many of these tensors are gathered at once; one at least."""
    together = accumulate(sizes)
    return max(1, sum(size * 4 <= GATHERED_BYTES for size in together))


def _gather(found: Sequence[_Copy]) -> None:
    sizes = [one.master.numel() for one in found]
    whole = torch.empty(sum(sizes), dtype=found[0].master.dtype, device=found[0].master.device)
    gradients = [part.view(one.master.shape) for part, one in zip(torch.split(whole, sizes), found, strict=True)]
    torch._foreach_copy_(gradients, [one.low.grad for one in found if one.low.grad is not None])
    pairs = list(zip(found, gradients, strict=True))
    folded = [(gradient, one.factor) for one, gradient in pairs if one.factor != 1.0]
    if folded:
        torch._foreach_mul_([gradient for gradient, _ in folded], [factor for _, factor in folded])
    earlier = [(one.master.grad, gradient) for one, gradient in pairs if one.master.grad is not None]
    if earlier:
        torch._foreach_add_([total for total, _ in earlier], [gradient for _, gradient in earlier])
    for one, gradient in pairs:
        one.low.grad = None
        if one.master.grad is None:
            one.master.grad = gradient

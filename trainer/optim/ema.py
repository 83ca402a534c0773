"""The exponential moving average (EMA) of the trained weights, which is saved instead of them.

Its decay rises with the steps as (1 + n) / (10 + n) up to what is wanted, as in TensorFlow and diffusers: a fixed 0.999
would keep the zeros that adapters begin with for a thousand steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

EMA_PREFIX = "average."
"""What the names of its tensors begin with in a training state; states of earlier versions have it too."""


class Ema:
    """The EMA of some parameters, held beside them."""

    def __init__(self, parameters: Mapping[str, nn.Parameter], decay: float) -> None:
        """Start from copies of the parameters."""
        self._decay = decay
        self._parameters = dict(parameters)
        self._averages = {name: parameter.detach().clone() for name, parameter in parameters.items()}

    @torch.no_grad()
    def update(self, steps: int) -> None:
        """Average in the parameters as they are after so many steps."""
        decay = min(self._decay, (1 + steps) / (10 + steps))
        parameters = [parameter.detach() for parameter in self._parameters.values()]
        torch._foreach_lerp_(list(self._averages.values()), parameters, 1 - decay)

    @contextmanager
    def used(self) -> Iterator[None]:
        """Within, the parameters hold their averages."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def state(self) -> dict[str, Tensor]:
        """The averages by the parameters' names with `EMA_PREFIX`."""
        return {EMA_PREFIX + name: average for name, average in self._averages.items()}

    @torch.no_grad()
    def load(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` gave; averages that the state lacks, from a training without EMA, stay as they are."""
        for name, average in self._averages.items():
            if EMA_PREFIX + name in state:
                average.copy_(state[EMA_PREFIX + name])

    @torch.no_grad()
    def _swap(self) -> None:
        for name, parameter in self._parameters.items():
            kept = parameter.detach().clone()
            parameter.copy_(self._averages[name])
            self._averages[name].copy_(kept)

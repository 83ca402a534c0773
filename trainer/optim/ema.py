"""A moving average of the trained weights, which is saved instead of them.

Its decay rises with the steps as (1 + n) / (10 + n) up to what is wanted, as in TensorFlow and diffusers: a fixed 0.999
would keep the zeros that adapters begin with for a thousand steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

AVERAGE = "average."
"""What the names of its tensors begin with in a state."""


class Average:
    """The average of some parameters, kept beside them."""

    def __init__(self, parameters: Mapping[str, nn.Parameter], decay: float) -> None:
        """Begin with the parameters as they are."""
        self._decay = decay
        self._parameters = dict(parameters)
        self._averages = {name: parameter.detach().clone() for name, parameter in parameters.items()}

    @torch.no_grad()
    def update(self, steps: int) -> None:
        """Take in what the parameters are after so many steps."""
        decay = min(self._decay, (1 + steps) / (10 + steps))
        parameters = [parameter.detach() for parameter in self._parameters.values()]
        torch._foreach_lerp_(list(self._averages.values()), parameters, 1 - decay)

    @contextmanager
    def used(self) -> Iterator[None]:
        """Within, the parameters hold the average."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def state(self) -> dict[str, Tensor]:
        """What going on needs."""
        return {AVERAGE + name: average for name, average in self._averages.items()}

    @torch.no_grad()
    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave; a state without it, of a training without an average, leaves it as it is."""
        for name, average in self._averages.items():
            if AVERAGE + name in state:
                average.copy_(state[AVERAGE + name])

    @torch.no_grad()
    def _swap(self) -> None:
        for name, parameter in self._parameters.items():
            kept = parameter.detach().clone()
            parameter.copy_(self._averages[name])
            self._averages[name].copy_(kept)

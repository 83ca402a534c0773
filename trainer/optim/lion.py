"""The optimizer Lion: steps by the sign of the momentum alone, with half of AdamW's state.

Chen et al. 2023, algorithm 2: arxiv.org/abs/2302.06675.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

import torch
from torch import Tensor


class Lion(torch.optim.Optimizer):
    """Lion; wants a rate three to ten times lower than AdamW's and a weight decay as much higher."""

    def __init__(
        self,
        params: Any,
        lr: float = 1e-5,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        """Take parameters or groups of them.

        Raises:
            ValueError: a rate or a beta is out of range.
        """
        if lr < 0 or weight_decay < 0 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"lr {lr}, betas {betas} and weight_decay {weight_decay} must be 0 or more, betas below 1")
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Change every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            pairs = [(parameter, parameter.grad) for parameter in group["params"] if parameter.grad is not None]
            if pairs:
                self._change([parameter for parameter, _ in pairs], [gradient for _, gradient in pairs], group)
        return loss

    def _change(self, parameters: list[Tensor], gradients: list[Tensor], group: dict[str, Any]) -> None:
        fast, slow = group["betas"]
        momenta = [self._momentum(parameter) for parameter in parameters]
        torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
        updates = torch._foreach_lerp(momenta, gradients, 1 - fast)
        torch._foreach_sign_(updates)
        torch._foreach_add_(parameters, updates, alpha=-group["lr"])
        torch._foreach_lerp_(momenta, gradients, 1 - slow)

    def _momentum(self, parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if "exp_avg" not in state:
            state["exp_avg"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
        momentum: Tensor = state["exp_avg"]
        return momentum

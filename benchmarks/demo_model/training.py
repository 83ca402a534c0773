"""What both trainings share: the optimizer pair, the budget of a stage, and its checkpoint."""

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import torch
from torch import Tensor, nn

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic iteration: Muon, Jordan 2024: kellerjordan.github.io/posts/muon"""
CHECKPOINT_SECONDS = 90.0


@dataclass(frozen=True)
class Budget:
    """How long a stage lasts: so many steps, or so many seconds of training where `seconds` is given."""

    steps: int
    seconds: float | None = None

    def progress(self, step: int, elapsed: float) -> float:
        """The share done, 0..1; schedules follow it."""
        return min(1.0, step / self.steps if self.seconds is None else elapsed / self.seconds)


def orthogonal(matrices: Tensor, rounds: int = 5) -> Tensor:
    """The nearest half-orthogonal matrices to a stack [N, rows, columns], roughly.

    Muon's Newton-Schulz iteration X <- (a + b G + c G^2) X with G = X X^T. All polynomials in G commute,
    so the rounds run on the small square G and one product with X at the end does the rest.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    wide = matrices.mT if tall else matrices
    gram = wide @ wide.mT
    scale = gram.diagonal(dim1=1, dim2=2).sum(-1).clamp_min(1e-20)[:, None, None]
    gram = gram / scale
    eye = torch.eye(gram.shape[-1]).expand_as(gram)
    product = eye
    a, b, c = NEWTON_SCHULZ
    for _ in range(rounds):
        step = a * eye + b * gram + c * (gram @ gram)
        product = step @ product
        gram = step @ gram @ step
        gram = (gram + gram.mT) / 2
    result = product @ (wide / scale.sqrt())
    return result.mT if tall else result


class Muon(torch.optim.Optimizer):
    """Momentum whose update is made orthogonal (Jordan 2024); kernels count as matrices with a row a filter."""

    def __init__(self, params: list[nn.Parameter], lr: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]  # noqa: ARG002
        """One update; matrices of the same shape go through the iteration together."""
        for group in self.param_groups:
            shapes: dict[tuple[int, int], list[tuple[nn.Parameter, Tensor]]] = {}
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                buffer = state.setdefault("momentum", torch.zeros_like(parameter))
                buffer.lerp_(parameter.grad, 1 - group["momentum"])
                update = parameter.grad.lerp(buffer, group["momentum"]).flatten(1)
                shapes.setdefault((update.shape[0], update.shape[1]), []).append((parameter, update))
            for (rows, columns), members in shapes.items():
                updates = orthogonal(torch.stack([update for _, update in members]))
                for (parameter, _), update in zip(members, updates, strict=True):
                    parameter.sub_(group["lr"] * math.sqrt(max(1.0, rows / columns)) * update.view_as(parameter))


def optimizers(
    module: nn.Module, muon_rate: float, adam_rate: float, apart: tuple[str, ...]
) -> list[torch.optim.Optimizer]:
    """Muon for the matrices within, AdamW for vectors and for whatever has a name that contains one of `apart`."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            inner = parameter.ndim >= 2 and not any(part in name for part in apart)
            (matrices if inner else others).append(parameter)
    adam = torch.optim.AdamW(others, lr=adam_rate, betas=(0.9, 0.99), weight_decay=0.0)
    both: list[torch.optim.Optimizer] = [Muon(matrices, muon_rate)] if matrices else []
    both.append(adam)
    for optimizer in both:
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    return both


def batches_of(pictures: int, size: int, seed: int, first: int) -> Iterator[Tensor]:
    """Batches of picture numbers without end: each picture once a round, a new order every round.

    Args:
        pictures: How many there are.
        size: How many are in a batch.
        seed: Of the orders.
        first: The number of the first batch.
    """
    batches = pictures // size
    for index in count(first):
        round_number, place = divmod(index, batches)
        order = torch.randperm(pictures, generator=torch.Generator().manual_seed(seed * 1000 + round_number))
        yield order[place * size : (place + 1) * size]


def update(module: nn.Module, pair: list[torch.optim.Optimizer], loss: Tensor) -> None:
    """One step down the loss, its gradient's norm cut at 1."""
    for optimizer in pair:
        optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_([p for p in module.parameters() if p.requires_grad], 1.0)
    for optimizer in pair:
        optimizer.step()


class Stage:
    """Counts a stage's steps and seconds, sets the rates, logs, and keeps a checkpoint to go on from."""

    def __init__(self, name: str, folder: Path, budget: Budget, held: dict[str, nn.Module | torch.optim.Optimizer]):
        self.name, self.budget, self.held = name, budget, held
        self.path, self.log_path = folder / f"{name}.ckpt", folder / f"{name}.log"
        self.step, self.elapsed = 0, 0.0
        if self.path.exists():
            saved = torch.load(self.path, weights_only=True)
            self.step, self.elapsed = saved.pop("step"), saved.pop("elapsed")
            for key, part in held.items():
                part.load_state_dict(saved[key])

    @property
    def progress(self) -> float:
        """The share of the stage that is done, 0..1."""
        return self.budget.progress(self.step, self.elapsed)

    def steps(self) -> Iterator[int]:
        """The numbers of the steps still to do; one checkpoint a while and one at the end."""
        last_save, last_time = self.elapsed, time.monotonic()
        while self.progress < 1.0:
            yield self.step
            now = time.monotonic()
            self.elapsed += now - last_time
            last_time = now
            self.step += 1
            if self.elapsed - last_save > CHECKPOINT_SECONDS:
                self.save()
                last_save = self.elapsed
        self.save()
        (self.path.parent / f"{self.name}.json").write_text(
            json.dumps({"steps": self.step, "seconds": round(self.elapsed, 1)})
        )

    def save(self) -> None:
        """Writes the checkpoint beside the old one, then puts it in its place."""
        state = {key: part.state_dict() for key, part in self.held.items()}
        partial = self.path.with_suffix(".part")
        torch.save({**state, "step": self.step, "elapsed": self.elapsed}, partial)
        partial.replace(self.path)

    def set_rates(self, share: float) -> None:
        """Sets each optimizer's rate to this share of its peak."""
        for part in self.held.values():
            if isinstance(part, torch.optim.Optimizer):
                for group in part.param_groups:
                    group["lr"] = group["peak"] * share

    def log(self, **values: float) -> None:
        """Adds a line to the stage's log."""
        figures = " ".join(f"{key} {value:.5f}" for key, value in values.items())
        with self.log_path.open("a", encoding="utf-8") as lines:
            lines.write(f"{self.name} step {self.step} {self.elapsed:.0f} s ({self.progress:.1%}) {figures}\n")

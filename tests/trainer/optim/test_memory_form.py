from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest
import torch
from torch import nn

from advisor.settings.config import OptimizerConfig
from trainer.optim.memory_form import check_memory, memory_forms
from trainer.optim.optimizer import PACKAGES, Group, make_optimizer

NAMES = ("adamw", "adafactor", "lion", *PACKAGES)
SHAPES = ((4, 8), (8, 4), (4, 8, 3, 3), (5,), ())


def made(name: str) -> torch.optim.Optimizer:
    if name in PACKAGES and find_spec(PACKAGES[name][0]) is None:
        pytest.skip(f"needs {PACKAGES[name][2]}")
    parameters = tuple(nn.Parameter(torch.full(shape, float(zero))) for shape in SHAPES for zero in (0, 1))
    config = OptimizerConfig.model_validate({"name": name, "learning_rate": 0.1, "unet_learning_rate": 0.1})
    optimizer = make_optimizer(
        config, [Group("unet", parameters, 0.1)], device=torch.device("cpu"), relative_step=False, warn=print
    )
    assert optimizer is not None
    return optimizer


def stepped(name: str) -> torch.optim.Optimizer:
    optimizer = made(name)
    for parameter in optimizer.param_groups[0]["params"]:
        parameter.grad = torch.randn(parameter.shape)
    optimizer.step()
    return optimizer


def restore(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    forms = memory_forms(optimizer)
    assert forms
    assert not any(optimizer.state.values())
    optimizer.load_state_dict(state)
    check_memory(optimizer, forms)


@pytest.mark.parametrize("name", NAMES)
def test_what_an_optimizer_made_itself_fits_it_again(name: str) -> None:
    optimizer, state = made(name), stepped(name).state_dict()

    restore(optimizer, state)

    assert optimizer.state_dict()["state"].keys() == state["state"].keys()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "bend",
    [
        lambda one: one.reshape(-1)[:1].clone(),
        lambda one: torch.zeros(*one.shape, 2),
        lambda one: torch.zeros(1).expand(one.shape),
        lambda _: "x",
    ],
)
def test_another_form_is_refused(name: str, bend: Callable[[torch.Tensor], Any]) -> None:
    optimizer, state = made(name), stepped(name).state_dict()
    memory = state["state"][0]
    tensor = next(key for key, entry in memory.items() if isinstance(entry, torch.Tensor) and entry.ndim)
    memory[tensor] = bend(memory[tensor])

    with pytest.raises((ValueError, AttributeError)):
        restore(optimizer, state)


@pytest.mark.parametrize("name", NAMES)
def test_other_things_than_it_remembers_are_refused(name: str) -> None:
    for change in (
        lambda memory: memory.update({next(iter(memory)) + "s": memory.pop(next(iter(memory)))}),
        lambda memory: memory.update(max_exp_avg_sq=torch.zeros(1)),
    ):
        optimizer, state = made(name), stepped(name).state_dict()
        change(state["state"][3])

        with pytest.raises((ValueError, KeyError), match=r"it remembers|step"):  # torch's AdamW wants its step itself
            restore(optimizer, state)

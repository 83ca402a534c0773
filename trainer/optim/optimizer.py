"""Optimizers by name, and parameter groups with the learning rate of each part of the network."""

from __future__ import annotations

import sys
from ast import literal_eval
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, get_args

import torch
from torch import nn
from transformers.optimization import Adafactor

from advisor.errors import ConfigError, HardwareError
from advisor.settings.config import OptimizerConfig
from trainer.optim.lion import Lion

TrainedPart = Literal["text_encoder", "unet"]
"""What has a learning rate of its own; `text_encoder` stands for all text encoders. Groups are in this order."""
TRAINED_PARTS: tuple[TrainedPart, ...] = get_args(TrainedPart)
Groups = list[dict[str, Any]]
Warn = Callable[[str, str], None]
"""Takes a code and a message."""

PACKAGES = {
    "prodigy": ("prodigyopt", "Prodigy", "prodigyopt"),
    "came": ("came_pytorch", "CAME", "came-pytorch"),
    "schedule_free_adamw": ("schedulefree", "AdamWScheduleFree", "schedulefree"),
}
"""Optimizers from packages of their own: module, class, what pip calls it."""


@dataclass(frozen=True)
class Group:
    """Parameters with one learning rate, all of one part of the network."""

    part: TrainedPart
    parameters: tuple[nn.Parameter, ...]
    learning_rate: float
    factor: float = 1.0
    """The factor of its blocks (`optimizer.block_learning_rates`), which `learning_rate` contains."""


def trained_groups(
    config: OptimizerConfig,
    parameters: Mapping[TrainedPart, Sequence[nn.Parameter]],
    blocks: Mapping[int, Sequence[nn.Parameter]] | None = None,
) -> tuple[Group, ...]:
    """The text encoder's group, then the U-Net's, as kohya has them; without those that are empty or have rate 0.

    Args:
        blocks: the U-Net's parameters by block; needed where blocks have rates of their own, one group for each factor.
    """
    rates: dict[TrainedPart, float] = {
        "text_encoder": config.text_encoder_learning_rate,
        "unet": config.unet_learning_rate,
    }
    groups = [Group(part, tuple(parameters.get(part, ())), rate) for part, rate in rates.items()]
    if config.block_learning_rates and blocks is not None:
        groups[-1:] = _groups_of_blocks(config, blocks)
    return tuple(group for group in groups if group.parameters and group.learning_rate > 0)


def _groups_of_blocks(config: OptimizerConfig, blocks: Mapping[int, Sequence[nn.Parameter]]) -> list[Group]:
    by_factor: dict[float, list[nn.Parameter]] = {}
    for block, parameters in blocks.items():
        by_factor.setdefault(config.block_learning_rates[block], []).extend(parameters)
    return [
        Group("unet", tuple(parameters), config.unet_learning_rate * factor, factor)
        for factor, parameters in by_factor.items()
    ]


def parse_arguments(arguments: Sequence[str]) -> dict[str, Any]:
    """The values of `name=value`, as Python literals.

    Raises:
        ConfigError: one is no literal.
    """
    parsed = dict[str, Any]()
    for argument in arguments:
        name, _, value = argument.partition("=")
        try:
            parsed[name] = literal_eval(value)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            mend = "the value must be a Python literal: a number, True, None, 'text' or a tuple such as (0.9,0.99)"
            raise ConfigError("optimizer.arguments", argument, mend) from None
    return parsed


def make_optimizer(
    config: OptimizerConfig, groups: Sequence[Group], *, device: torch.device, relative_step: bool, warn: Warn
) -> torch.optim.Optimizer | None:
    """The optimizer for the groups; None where nothing is trained.

    Args:
        relative_step: Adafactor chooses the rate itself (the schedule `adafactor`).
        warn: called when another optimizer had to be taken.

    Raises:
        ConfigError: an argument is unknown to the optimizer or has a value that it does not take, or it cannot have
            several rates.
        HardwareError: the optimizer's package is not installed.
    """
    if not groups:
        return None
    _check_rates(config, groups)
    arguments = {"weight_decay": config.weight_decay, **parse_arguments(config.arguments)}
    made: Groups = [{"params": list(group.parameters), "lr": group.learning_rate} for group in groups]
    try:
        if config.name == "adafactor":
            return _adafactor(made, arguments, relative_step=relative_step)
        if config.name == "lion":
            return Lion(made, **arguments)
        if config.name == "adamw8bit":
            return _adamw8bit(made, arguments, device, warn)
        if config.name in PACKAGES:
            return _from_package(config.name, made, arguments)
        return _adamw(made, arguments, device)
    except (TypeError, ValueError) as error:
        raise ConfigError("optimizer.arguments", list(config.arguments), f"{config.name} says: {error}") from error


@contextmanager
def weights_for_use(optimizer: torch.optim.Optimizer | None) -> Iterator[None]:
    """Within: the parameters hold what is saved and sampled; schedule-free optimizers train on other values."""
    evaluate, train = getattr(optimizer, "eval", None), getattr(optimizer, "train", None)
    if evaluate is None or train is None:
        yield
        return
    evaluate()
    try:
        yield
    finally:
        train()


def _check_rates(config: OptimizerConfig, groups: Sequence[Group]) -> None:
    """Prodigy finds one rate for all and takes ours as a factor on it, which must then be the same for all."""
    rates = {group.learning_rate for group in groups}
    if config.name == "prodigy" and len(rates) > 1:
        mend = (
            "prodigy finds one rate for everything that is trained: give U-Net and text encoder the same (1 is usual, "
            "0 trains no text encoder), and blocks no factors but 0 and 1"
        )
        raise ConfigError("optimizer.unet_learning_rate", config.unet_learning_rate, mend)


def _adamw(groups: Groups, arguments: dict[str, Any], device: torch.device) -> torch.optim.Optimizer:
    excludes_fused = any(arguments.get(name) for name in ("foreach", "differentiable"))
    arguments.setdefault("fused", not excludes_fused and device.type in ("cuda", "cpu", "xpu", "mps"))
    try:
        return torch.optim.AdamW(groups, **arguments)
    except RuntimeError as error:  # it allocates nothing: arguments that exclude one another
        raise ValueError(error) from error


def _adamw8bit(groups: Groups, arguments: dict[str, Any], device: torch.device, warn: Warn) -> torch.optim.Optimizer:
    if device.type == "cuda":
        try:
            return import_module("bitsandbytes.optim").AdamW8bit(groups, **arguments)  # type: ignore[no-any-return]
        except (ImportError, RuntimeError, OSError) as error:
            why = f"the package bitsandbytes cannot be used ({error}); `pip install bitsandbytes` adds it"
    else:
        why = "bitsandbytes has it for CUDA cards only"
    warn("adamw8bit_missing", f"Training with AdamW instead of AdamW8bit, which needs a little more memory: {why}")
    return _adamw(groups, arguments, device)


def _adafactor(groups: Groups, arguments: dict[str, Any], *, relative_step: bool) -> torch.optim.Optimizer:
    if relative_step:
        for group in groups:
            group["lr"] = None
    arguments = {"relative_step": relative_step, "scale_parameter": relative_step, "warmup_init": False, **arguments}
    return Adafactor(groups, lr=None if relative_step else groups[0]["lr"], **arguments)  # type: ignore[no-any-return]


def _from_package(name: str, groups: Groups, arguments: dict[str, Any]) -> torch.optim.Optimizer:
    module, made_by, package = PACKAGES[name]
    try:
        maker = getattr(import_module(module), made_by)
    except ImportError as error:
        raise HardwareError(
            f"optimizer.name is {name}, which is in the package {package}, and that is not installed: "
            f"`pip install {package}` adds it; adamw needs no package"
        ) from error
    with redirect_stdout(sys.stderr):  # prodigyopt prints, and standard output is not ours to write to
        optimizer: torch.optim.Optimizer = maker(groups, lr=groups[0]["lr"], **arguments)
    start = getattr(optimizer, "train", None)
    if start is not None:
        start()
    return optimizer

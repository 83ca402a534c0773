from __future__ import annotations

import sys

import pytest
import torch
from torch import nn

from advisor.errors import ConfigError, HardwareError
from advisor.settings.config import OptimizerConfig
from trainer.optim.lion import Lion
from trainer.optim.optimizer import Group, make_optimizer, parse_arguments, trained_groups, weights_for_use

CPU = torch.device("cpu")


def a_group(rate: float = 0.1) -> Group:
    return Group("unet", (nn.Parameter(torch.ones(3)),), rate)


def made(config: OptimizerConfig, group: Group | None = None) -> torch.optim.Optimizer:
    optimizer = make_optimizer(
        config, [group or a_group()], device=CPU, relative_step=False, warn=lambda code, message: None
    )
    assert optimizer is not None
    return optimizer


def test_the_text_encoder_comes_before_the_unet_as_in_kohya() -> None:
    parameters = {"unet": [nn.Parameter(torch.ones(1))], "text_encoder": [nn.Parameter(torch.ones(1))]}

    groups = trained_groups(OptimizerConfig(), parameters)  # type: ignore[arg-type]

    assert [(group.part, group.learning_rate) for group in groups] == [("text_encoder", 5e-5), ("unet", 1e-4)]


def test_a_rate_of_zero_drops_its_group() -> None:
    parameters = {"unet": [nn.Parameter(torch.ones(1))], "text_encoder": [nn.Parameter(torch.ones(1))]}

    groups = trained_groups(OptimizerConfig(unet_learning_rate=0), parameters)  # type: ignore[arg-type]

    assert [group.part for group in groups] == ["text_encoder"]


def test_nothing_to_train_gives_no_optimizer() -> None:
    assert make_optimizer(OptimizerConfig(), [], device=CPU, relative_step=False, warn=lambda a, b: None) is None


def test_arguments_are_python_literals() -> None:
    assert parse_arguments(["betas=(0.9,0.99)", "eps=1e-6", "amsgrad=True"]) == {
        "betas": (0.9, 0.99),
        "eps": 1e-6,
        "amsgrad": True,
    }


def test_an_argument_that_is_no_literal_is_named() -> None:
    with pytest.raises(ConfigError, match=r"optimizer\.arguments is 'eps=os\.getcwd\(\)'"):
        parse_arguments(["eps=os.getcwd()"])


def test_arguments_reach_the_optimizer_and_beat_the_settings() -> None:
    optimizer = made(OptimizerConfig(arguments=("betas=(0.8,0.9)", "weight_decay=0.5")))

    assert optimizer.defaults["betas"] == (0.8, 0.9)
    assert optimizer.defaults["weight_decay"] == 0.5


def test_foreach_takes_the_place_of_fused() -> None:
    optimizer = made(OptimizerConfig(arguments=("foreach=True",)))

    assert (optimizer.defaults["foreach"], optimizer.defaults["fused"]) == (True, False)


def test_arguments_that_exclude_one_another_are_the_users_error() -> None:
    with pytest.raises(ConfigError, match="cannot be `True` together"):
        made(OptimizerConfig(arguments=("foreach=True", "fused=True")))


@pytest.mark.parametrize("name", ["adamw", "adafactor", "lion"])
def test_an_argument_that_the_optimizer_does_not_know_is_the_users_error(name: str) -> None:
    with pytest.raises(ConfigError, match="unexpected keyword"):
        made(OptimizerConfig(name=name, arguments=("warp=9",)))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["adamw", "adamw8bit", "adafactor", "lion"])
def test_a_step_goes_against_the_gradient_by_about_the_rate(name: str) -> None:
    group = a_group(rate=0.01)
    optimizer = made(OptimizerConfig(name=name, weight_decay=0), group)  # type: ignore[arg-type]
    (parameter,) = group.parameters
    parameter.grad = torch.tensor([1.0, 2.0, -3.0])

    optimizer.step()

    assert (parameter - 1).tolist() == pytest.approx([-0.01, -0.01, 0.01], rel=0.6)


def test_adamw8bit_falls_back_to_adamw_and_says_so() -> None:
    told = list[str]()

    optimizer = make_optimizer(
        OptimizerConfig(name="adamw8bit"),
        [a_group()],
        device=CPU,
        relative_step=False,
        warn=lambda code, message: told.append(f"{code}: {message}"),
    )

    assert type(optimizer) is torch.optim.AdamW
    assert told[0].startswith("adamw8bit_missing: Training with AdamW instead of AdamW8bit")


@pytest.mark.parametrize(
    ("name", "module", "package"),
    [
        ("prodigy", "prodigyopt", "prodigyopt"),
        ("came", "came_pytorch", "came-pytorch"),
        ("schedule_free_adamw", "schedulefree", "schedulefree"),
    ],
)
def test_a_missing_package_is_named_with_the_way_to_get_it(
    name: str, module: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(HardwareError, match=f"pip install {package}"):
        made(OptimizerConfig(name=name))  # type: ignore[arg-type]


def test_adafactor_may_choose_its_own_rate() -> None:
    optimizer = make_optimizer(
        OptimizerConfig(name="adafactor"), [a_group()], device=CPU, relative_step=True, warn=lambda a, b: None
    )

    assert optimizer is not None
    assert optimizer.param_groups[0]["lr"] is None


def test_lion_does_what_its_paper_says() -> None:
    parameter = nn.Parameter(torch.tensor([1.0, 1.0]))
    optimizer = Lion([parameter], lr=0.1, betas=(0.5, 0.75), weight_decay=0.2)

    for gradient in ([1.0, -1.0], [-3.0, 0.1]):
        parameter.grad = torch.tensor(gradient)
        optimizer.step()

    # Step 1: 1 - 0.1 * (sign + 0.2 * 1); the momentum becomes 0.25 g. Step 2: signs of (0.125 - 1.5), (-0.125 + 0.05).
    first = [1 - 0.1 * (1 + 0.2), 1 - 0.1 * (-1 + 0.2)]
    assert parameter.tolist() == pytest.approx([first[0] * 0.98 + 0.1, first[1] * 0.98 + 0.1])


def test_schedule_free_weights_are_swapped_only_while_they_are_used() -> None:
    class Swapping(torch.optim.SGD):
        mode = "train"

        def eval(self) -> None:
            self.mode = "eval"

        def train(self) -> None:
            self.mode = "train"

    optimizer = Swapping([nn.Parameter(torch.ones(1))], lr=0.1)

    with weights_for_use(optimizer):
        assert optimizer.mode == "eval"

    assert optimizer.mode == "train"

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from tests.support.runs import events_of, make_config, run_training
from trainer.optim.ema import Ema
from trainer.training.state import States


def test_it_is_the_average_computed_by_hand() -> None:
    parameter = nn.Parameter(torch.tensor([1.0]))
    average = Ema({"w": parameter}, decay=0.25)

    for steps, value in enumerate((2.0, 4.0, -1.0), start=1):
        parameter.data.fill_(value)
        average.update(steps)

    # Decays: 2/11, then 3/12 and 4/13, which 0.25 caps.
    first = 1.0 * 2 / 11 + 2.0 * 9 / 11
    second = first * 0.25 + 4.0 * 0.75
    with average.used():
        assert parameter.item() == pytest.approx(second * 0.25 - 1.0 * 0.75)
    assert parameter.item() == -1.0


def test_the_parameters_come_back_also_after_an_error() -> None:
    parameter = nn.Parameter(torch.tensor([1.0]))
    average = Ema({"w": parameter}, decay=0.5)
    parameter.data.fill_(3.0)

    with pytest.raises(RuntimeError), average.used():
        raise RuntimeError

    assert parameter.item() == 3.0


def test_it_goes_on_from_its_state() -> None:
    first, second = (nn.Parameter(torch.tensor([value])) for value in (1.0, 5.0))
    state = Ema({"w": first}, decay=0.5).state()

    average = Ema({"w": second}, decay=0.5)
    average.load(state)

    with average.used():
        assert second.item() == 1.0


def test_the_saved_lora_is_the_average_and_the_state_has_both(tmp_path: Path) -> None:
    config = make_config(tmp_path, loss__ema=True, schedule__max_steps=4, saving__dtype="float32")
    plain = make_config(tmp_path, schedule__max_steps=4, saving__dtype="float32", saving__every_steps=1)
    run_training(tmp_path / "average", config)
    run_training(tmp_path / "plain", plain)
    name = "lora_unet_mid_block_attentions_0_proj_in.lora_up.weight"
    model = tmp_path / "plain" / "model"
    steps = [load_file(model / f"tok-step{step:08d}.safetensors")[name] for step in (1, 2, 3)]
    last = load_file(model / "tok.safetensors")[name]

    expected = torch.zeros_like(last)
    for number, weights in enumerate((*steps, last), start=1):
        decay = (1 + number) / (10 + number)
        expected = expected * decay + weights * (1 - decay)
    found = load_file(tmp_path / "average" / "model" / "tok.safetensors")[name]
    torch.testing.assert_close(found, expected)
    assert "reload_check" not in {event["code"] for event in events_of(tmp_path / "average", "warning")}
    state = States(tmp_path / "average").newest()
    assert state is not None
    own = "adapters.lora_unet_mid_block_attentions_0_proj_in.up"
    torch.testing.assert_close(state.weights[own], last)
    torch.testing.assert_close(state.weights[f"average.{own}"], found)

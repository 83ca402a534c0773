"""Every optimizer trains and goes on from a state. Those from packages of their own are in requirements/dev.txt."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from safetensors.torch import load_file

from advisor.errors import ConfigError
from advisor.estimate.vram import OPTIMIZER_BYTES
from advisor.settings.config import OptimizerName
from tests.support.runs import events_of, make_config, run_training
from trainer.optim.optimizer import PACKAGES

NAMES = ("adamw", "adamw8bit", "adafactor", "lion", *PACKAGES)
RATES: dict[str, Any] = {
    "optimizer__learning_rate": 1.0, "optimizer__unet_learning_rate": 1.0, "optimizer__text_encoder_learning_rate": 1.0,
}  # fmt: skip


def test_every_optimizer_of_the_settings_is_tried_here_and_has_its_memory_counted() -> None:
    assert set(NAMES) == set(OPTIMIZER_BYTES) == set(get_args(OptimizerName))


@pytest.mark.parametrize("name", NAMES)
def test_it_trains_and_goes_on_as_if_it_had_never_stopped(
    name: str, material: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if name in PACKAGES and find_spec(PACKAGES[name][0]) is None:
        pytest.skip(f"needs {PACKAGES[name][2]}")
    settings: dict[str, Any] = {
        "saving__dtype": "float32",
        "network__kind": "dora",  # tensors with one, two and four axes
        "optimizer__name": name,
        "schedule__name": "constant_with_warmup",
        "schedule__warmup_steps": 1,
        "schedule__batch_size": 1,
    }
    settings |= RATES if name == "prodigy" else {}
    whole = make_config(material, **settings, schedule__max_steps=3)
    half = make_config(material, **settings, schedule__max_steps=2)

    run_training(tmp_path / "whole", whole)
    run_training(tmp_path / "halves", half)
    run_training(tmp_path / "halves", whole, resume=True)

    one, other = (load_file(tmp_path / run / "model" / "tok.safetensors") for run in ("whole", "halves"))
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert all(bool(tensor.any()) for key, tensor in one.items() if key.endswith("lora_up.weight"))
    told = {event["code"] for event in events_of(tmp_path / "whole", "warning")}
    assert ("adamw8bit_missing" in told) == (name == "adamw8bit")
    assert "reload_check" not in told
    assert capsys.readouterr().out == ""


def test_prodigy_has_one_rate_for_all(material: Path, tmp_path: Path) -> None:
    config = make_config(material, optimizer__name="prodigy", schedule__max_steps=1)

    with pytest.raises(ConfigError, match="same"):
        run_training(tmp_path, config)

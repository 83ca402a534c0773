from __future__ import annotations

import math
from typing import Any

import pytest

from advisor.settings.config import LossConfig
from advisor.settings.script_times import ScriptTimes, script_times


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ({}, ScriptTimes("uniform")),
        ({"timestep_shift": 3.0}, ScriptTimes("sigma", 1.0, 3.0)),
        ({"timestep_sampling": "logit_normal"}, ScriptTimes("sigmoid")),
        ({"timestep_sampling": "logit_normal", "timestep_scale": 1.5}, ScriptTimes("sigmoid", 1.5)),
        ({"timestep_sampling": "logit_normal", "timestep_shift": 3.0}, ScriptTimes("shift", 1.0, 3.0)),
        ({"timestep_sampling": "logit_normal", "timestep_shift": "auto"}, ScriptTimes("flux_shift")),
    ],
)
def test_times_in_the_words_of_sd_scripts(loss: dict[str, Any], expected: ScriptTimes) -> None:
    assert script_times(LossConfig(**loss)) == expected


def test_a_mean_is_a_shift_by_its_exponential() -> None:
    loss = LossConfig(timestep_sampling="logit_normal", timestep_mean=0.5, timestep_shift=2.0)
    times = script_times(loss)

    assert times is not None
    for normal in (-2.0, 0.0, 1.3):
        ours = 1 / (1 + math.exp(-(0.5 + normal)))
        theirs = 1 / (1 + math.exp(-normal))
        shifted = 2 * ours / (1 + ours)
        assert times.flow_shift * theirs / (1 + (times.flow_shift - 1) * theirs) == pytest.approx(shifted, rel=1e-8)


def test_a_mean_and_a_shift_that_undo_each_other_are_none() -> None:
    loss = LossConfig(timestep_sampling="logit_normal", timestep_mean=-math.log(3), timestep_shift=3.0)

    assert script_times(loss) == ScriptTimes("sigmoid")


@pytest.mark.parametrize(
    "loss", [{"timestep_shift": "auto"}, {"timestep_sampling": "logit_normal", "timestep_mean": 0.5}]
)
def test_a_shift_by_size_goes_with_a_normal_around_zero_alone(loss: dict[str, Any]) -> None:
    assert script_times(LossConfig(**{**loss, "timestep_shift": "auto"})) is None

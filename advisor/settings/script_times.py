"""How times of flow matching are drawn, in the words of kohya's sd-scripts, for its files and a LoRA's metadata.

sd-scripts draw a share of the noise, evenly or as the sigmoid of a normal distribution around 0, and shift it. A mean
is a shift too: the sigmoid of m + x is that of x shifted by e^m.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from advisor.settings.config import LossConfig

ScriptSampling = Literal["uniform", "sigmoid", "shift", "flux_shift", "sigma"]
"""`timestep_sampling`: evenly; a sigmoid; that and a shift; that and a shift by the picture's size; evenly over a
schedule of 1,000 steps that is shifted."""
SHIFT_DIGITS = 9


@dataclass(frozen=True)
class ScriptTimes:
    """The arguments of sd-scripts that say how times are drawn."""

    sampling: ScriptSampling
    sigmoid_scale: float = 1.0
    """The normal distribution's standard deviation."""
    flow_shift: float = 1.0
    """`discrete_flow_shift`."""


def script_times(loss: LossConfig) -> ScriptTimes | None:
    """The same times there; None where sd-scripts have none such."""
    shift = loss.timestep_shift
    if loss.timestep_sampling == "uniform":
        if shift == "auto":
            return None
        return ScriptTimes("uniform") if shift == 1 else ScriptTimes("sigma", 1.0, shift)
    if shift == "auto":
        return None if loss.timestep_mean else ScriptTimes("flux_shift", loss.timestep_scale)
    whole = round(shift * math.exp(loss.timestep_mean), SHIFT_DIGITS)
    return ScriptTimes("sigmoid" if whole == 1 else "shift", loss.timestep_scale, whole)

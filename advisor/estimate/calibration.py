"""Receipts: memory and time of runs measured on this machine, and the correction factors that follow from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median, median_low
from typing import Literal

from advisor.machine.hardware import Gpu, Hardware
from advisor.settings.config import TrainingConfig
from advisor.units import GIB

RECEIPT_VERSION = 1

LEAST_MEMORY_RECEIPTS = 2
"""One run alone never changes the memory: something else may have been odd about it."""
MOST_MEMORY_CORRECTION = 1.3
"""The prediction was counted; what is further off than that is not the card's way but a mistake, which a factor hides.
Downwards nothing is corrected: a prediction that is too low is the error that hurts."""

LEAST_MEMORY_BYTES = GIB
"""A training that was predicted to take less is of a toy model: what is there anyway weighs most in it."""

LEAST_TIME_CORRECTION, MOST_TIME_CORRECTION = 0.1, 10.0
"""A formula from the driver's figures is no further off."""
NEWEST = 15
"""Older ones are of other drivers and other libraries."""
ONE_RUN_UNCERTAINTY, SEVERAL_RUNS_UNCERTAINTY = 1.5, 1.25
"""Factors either way on a time that one run was measured for, and three or more."""
MOST_TIMES_AS_LONG = 50.0
"""A step that is so many times shorter, or longer, spends its time otherwise (on calls instead of operations): it says
nothing of this one. From SD1.x with one picture to SDXL at 1024 px with four there lie about so many."""
STEPS_TO_BELIEVE = 3
"""So many a training must have timed; `loracle measure` warms up before it times, so that one is enough."""

RunKind = Literal["train", "measure"]


@dataclass(frozen=True)
class Receipt:
    """One measured run beside what was predicted for it."""

    machine: str
    """`machine_key` of where it ran."""
    kind: RunKind
    family: str
    checkpointing: bool
    predicted_bytes: int
    """Without corrections, and without what the driver takes where the real figure lacks it."""
    peak_bytes: int
    """Peak memory: of a GPU as torch counts it, on a CPU of the process; 0: not known."""
    predicted_step_seconds: float | None
    """Without corrections."""
    step_seconds: float
    """The median over its steps; 0: not known."""
    steps: int
    """Steps that were timed."""
    caching_seconds: float = 0.0
    driver: str = ""
    torch: str = ""
    unix_seconds: float = 0.0
    settings: dict[str, str | int | float | bool] = field(default_factory=dict)
    """The settings that memory and time depend on."""
    version: int = RECEIPT_VERSION


@dataclass(frozen=True)
class Corrections:
    """Factors on predictions for a machine."""

    memory: float = 1.0
    time: float = 1.0
    memory_runs: int = 0
    """Number of runs that the factor comes from."""
    time_runs: int = 0

    @property
    def time_uncertainty(self) -> float | None:
        """A factor either way; None where nothing was measured."""
        if not self.time_runs:
            return None
        return SEVERAL_RUNS_UNCERTAINTY if self.time_runs >= 3 else ONE_RUN_UNCERTAINTY

    @property
    def notes(self) -> tuple[str, ...]:
        """What a plan says of it."""
        found = []
        if self.memory > 1.0:
            more = f"{self.memory * 100 - 100:.0f} % more memory than counted"
            found.append(f"measured on this machine: {_runs(self.memory_runs)} took {more}, which is added here")
        if self.time_runs:
            found.append(f"measured on this machine: a step's time is corrected by what {_runs(self.time_runs)} took")
        return tuple(found)


def corrections(
    receipts: Iterable[Receipt], machine: str, config: TrainingConfig, *, step_seconds: float | None = None
) -> Corrections:
    """What the runs on that machine say of such a training; the median, so that one odd run among three is nothing.

    Args:
        machine: `machine_key` of where it will run; receipts of others say nothing.
        step_seconds: what is predicted for a step, uncorrected; the time of far shorter or longer ones says nothing.
            None: not known, and all count.
    """
    own = sorted((one for one in receipts if one.machine == machine), key=lambda one: -one.unix_seconds)
    alike = [one for one in own if one.family == config.model.family]
    same = [one for one in alike if one.checkpointing == config.memory.gradient_checkpointing]
    memory = [
        one.peak_bytes / one.predicted_bytes
        for one in alike
        if one.peak_bytes and one.predicted_bytes >= LEAST_MEMORY_BYTES
    ]
    times = _times(same, step_seconds) or _times(alike, step_seconds) or _times(own, step_seconds)
    factor, runs = _memory_factor(memory[:NEWEST])
    return Corrections(factor, _time_factor(times), runs, len(times))


def machine_key(hardware: Hardware, gpu: Gpu | None) -> str:
    """What tells a kind of card, or of processor, from another; the same for two cards of a kind."""
    if gpu is None:
        return f"{hardware.cpu_name}, {hardware.cpu_cores} cores"
    capability = ".".join(map(str, gpu.compute_capability or ()))
    return f"{gpu.name}, {gpu.total_bytes / GIB:.1f} GiB, {capability or gpu.vendor}"


def _times(receipts: Sequence[Receipt], step_seconds: float | None) -> list[float]:
    found = [
        one.step_seconds / one.predicted_step_seconds
        for one in receipts
        if one.predicted_step_seconds
        and one.step_seconds > 0
        and one.steps >= (1 if one.kind == "measure" else STEPS_TO_BELIEVE)
        and _is_comparable(one.predicted_step_seconds, step_seconds)
    ]
    return found[:NEWEST]


def _is_comparable(one: float, other: float | None) -> bool:
    return other is None or 1 / MOST_TIMES_AS_LONG <= one / other <= MOST_TIMES_AS_LONG


def _memory_factor(ratios: Sequence[float]) -> tuple[float, int]:
    if len(ratios) < LEAST_MEMORY_RECEIPTS:
        return 1.0, 0
    return min(MOST_MEMORY_CORRECTION, max(1.0, median_low(ratios))), len(ratios)


def _time_factor(ratios: Sequence[float]) -> float:
    """Of two the faster: other programs only ever make a step slower."""
    if not ratios:
        return 1.0
    found = median_low(ratios) if len(ratios) == 2 else median(ratios)
    return min(MOST_TIME_CORRECTION, max(LEAST_TIME_CORRECTION, found))


def _runs(number: int) -> str:
    return "one run" if number == 1 else f"{number} runs"

"""One case, measured in a process of its own, beside what is predicted of it."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from advisor.estimate.timing import step_seconds
from advisor.estimate.vram import allocated_bytes, reserved_bytes, vram_parts
from advisor.machine.probe import probe_hardware
from benchmarks.gpu.cases import Case
from benchmarks.gpu.steps import STEPS, Step
from trainer.device.choose import peak_memory_bytes, peak_reserved_bytes

WARMUP_STEPS = 3
LEAST_STEPS, MOST_STEPS, ENOUGH_SECONDS = 4, 30, 6.0
"""Steps are timed until so many or so long."""


@dataclass(frozen=True)
class Figures:
    """What a case took."""

    seconds: float
    """Of a step: the mean of those that were timed."""
    first_seconds: float
    """Of the first step."""
    steps: int
    """That were timed."""
    loss: float
    allocated_bytes: int
    """By torch at the peak; on a processor the process's."""
    reserved_bytes: int
    """By torch's allocator at the peak; 0 on a processor."""
    card_bytes: int | None
    """By how much the driver's figure of used memory grew; None on a processor."""


def measure_apart(case: Case, device: str, tiny: bool, answers: Connection) -> None:
    """Send the case's figures and predictions, or why there are none."""
    try:
        answers.send({"measured": asdict(measured(case, device, tiny=tiny)), "predicted": predicted(case, device)})
    except BaseException as error:  # whatever a card and its libraries raise is a result
        reason = (str(error).splitlines() or [""])[0]
        answers.send({"failed": f"{type(error).__name__}: {reason}"[:300]})


def measured(case: Case, device_name: str, *, tiny: bool = False) -> Figures:
    """Make and time the steps."""
    device = torch.device(device_name)
    before = _used_of_card(device)
    step = STEPS[case.way](case, device, tiny=tiny)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    began = time.perf_counter()
    step(0)()
    first = time.perf_counter() - began
    for number in range(1, WARMUP_STEPS):
        step(number)()
    count, seconds, loss = _timed(step, device)
    after = _used_of_card(device)
    return Figures(
        seconds=seconds / count,
        first_seconds=first,
        steps=count,
        loss=loss,
        allocated_bytes=peak_memory_bytes(device),
        reserved_bytes=peak_reserved_bytes(device),
        card_bytes=None if before is None or after is None else after - before,
    )


def _timed(step: Step, device: torch.device) -> tuple[int, float, float]:
    """How many steps were made, their seconds, and the last loss; nothing waits for the card in between."""
    _wait(device)
    began, count = time.perf_counter(), 0
    while True:
        loss = step(WARMUP_STEPS + count)
        count += 1
        if count >= MOST_STEPS or (count >= LEAST_STEPS and time.perf_counter() - began > ENOUGH_SECONDS):
            break
    _wait(device)
    return count, time.perf_counter() - began, loss()


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _used_of_card(device: torch.device) -> int | None:
    """Bytes in use of the card, as the driver tells; torch itself is not asked, since it would take some first."""
    if device.type != "cuda":
        return None
    import pynvml

    pynvml.nvmlInit()
    handle = pynvml.nvmlDeviceGetHandleByIndex(device.index or 0)
    return int(pynvml.nvmlDeviceGetMemoryInfo(handle).used)


def predicted(case: Case, device: str) -> dict[str, Any]:
    """What the advisor says of the published model's step; of the recipe nothing."""
    if case.way != "loracle":
        return {}
    config, structure, size = case.config(), case.structure(tiny=False), (case.side_px, case.side_px)
    hardware = probe_hardware(Path.cwd())
    parts = vram_parts(config, structure, size=size)
    gpu = None if device == "cpu" else hardware.main_gpu
    return {
        "seconds": step_seconds(config, structure, hardware, gpu, size=size),
        "allocated_bytes": allocated_bytes(parts),
        "reserved_bytes": reserved_bytes(config, parts),
        "card_bytes": sum(parts.values()),
    }

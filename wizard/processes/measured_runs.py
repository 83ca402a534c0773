"""Receipts of runs: what a start or a probe took, beside what is predicted of it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from advisor.environment.packages import installed_packages
from advisor.errors import LoraError, MemoryFacts
from advisor.estimate.calibration import Receipt, RunKind, machine_key
from advisor.estimate.timing import step_seconds
from advisor.estimate.vram import Phase, phase_bytes
from advisor.machine.hardware import Hardware
from advisor.machine.probe import probe_hardware
from advisor.run_folder.events import AnyEvent, Finished, PhaseBegun, Started, StepDone
from advisor.settings.config import TrainingConfig
from wizard.output import say
from wizard.processes.memory_situation import situation_of
from wizard.processes.receipt_store import ReceiptStore
from wizard.processes.trainer_job import TrainerJob

WARMUP_STEPS = 2
"""Left out of the median: the first steps allocate memory and load kernels."""


@dataclass(frozen=True)
class RunFigures:
    """Time and memory that a start of a run, or a probe of it, took."""

    device: str
    """torch's name of the device's type; `card` where only that much is known."""
    size: tuple[int, int] | None = None
    """Width and height of the images that were timed, in pixels; None: all sizes of the run."""
    steps: int = 0
    """Timed, without the first ones."""
    seconds_per_step: float = 0.0
    """The median; 0: no step was timed."""
    peak_bytes: int = 0
    """0: not known, as of a run that was interrupted."""
    reserved_bytes: int = 0
    """What torch's allocator held of the card; 0: not known."""
    caching_seconds: float = 0.0


def probe_figures(finished: Finished) -> RunFigures:
    """The figures in a probe's last event."""
    return RunFigures(
        device=finished.device,
        size=finished.size,
        steps=finished.steps,
        seconds_per_step=finished.seconds_per_step or 0.0,
        peak_bytes=finished.peak_memory_bytes,
        reserved_bytes=finished.peak_reserved_bytes,
    )


def save_receipt(job: TrainerJob, took: RunFigures, kind: RunKind, *, hardware: Hardware | None = None) -> None:
    """Write a receipt of the figures, if they hold any; print an error instead of raising it."""
    if not took.seconds_per_step and not took.peak_bytes:
        return
    try:
        receipt = receipt_of(job, took, kind, hardware or probe_hardware(job.run.path))
        ReceiptStore().save(receipt)
    except LoraError as error:
        say(f"What this run took is not remembered for later plans: {error}")


def save_run_receipt(job: TrainerJob, config: TrainingConfig, *, since: float) -> None:
    """Write a receipt of a run's last start, finished or not.

    Args:
        since: unix seconds; earlier events are left out.
    """
    if job.processes > 1:
        return  # what several take together says nothing of one
    try:
        events = job.run.read_events().events
    except LoraError:
        return  # the training has reported that
    device = "cpu" if job.device == "cpu" or config.memory.preset == "cpu" else "card"
    save_receipt(job, session_figures((one for one in events if one.unix_seconds >= since), device), "train")


def receipt_of(job: TrainerJob, took: RunFigures, kind: RunKind, hardware: Hardware) -> Receipt:
    """The receipt of the figures, with what is predicted for the same run.

    Raises:
        LoraError: the configuration or the base model cannot be read any more.
    """
    torch = installed_packages(("torch",)).get("torch")
    facts = MemoryFacts(device=took.device, largest=took.size)
    situation = situation_of(job, facts, hardware=hardware)
    config, structure = situation.config, situation.structure
    on_cpu = took.device == "cpu"
    gpu = None if on_cpu else job.gpu(hardware)
    phases = (phase_bytes(phase, config, structure, size=situation.size) for phase in _beside_steps(config, kind))
    predicted = max(situation.predicted_bytes, *phases)
    if on_cpu:
        predicted = max(predicted, phase_bytes("loading", config, structure, size=situation.size))
    else:
        predicted -= situation.overhead_bytes
    return Receipt(
        machine=machine_key(hardware, gpu),
        kind=kind,
        family=config.model.family,
        checkpointing=config.memory.gradient_checkpointing,
        predicted_bytes=predicted,
        peak_bytes=took.peak_bytes,
        predicted_step_seconds=step_seconds(
            config, structure, hardware, gpu, size=situation.size if kind == "measure" else None
        ),
        step_seconds=took.seconds_per_step,
        steps=took.steps,
        caching_seconds=took.caching_seconds,
        driver=hardware.driver or "",
        torch=torch.version if torch else "",
        unix_seconds=time.time(),
        settings={
            "batch_size": config.schedule.batch_size,
            "resolution_px": config.dataset.resolution_px,
            "rank": config.network.rank,
            "kind": config.network.kind,
            "optimizer": config.optimizer.name,
            "compute_dtype": config.memory.compute_dtype,
            "base_dtype": config.memory.base_dtype,
            "text_encoder": config.optimizer.trains_text_encoder,
            "batch_parts": situation.batch_parts,
        },
    )


def _beside_steps(config: TrainingConfig, kind: RunKind) -> Iterator[Phase]:
    """The phases other than steps whose memory can be the run's peak."""
    yield "caching"
    if kind == "train" and config.sampling.draws:  # the base model's pictures before the first step at least
        yield "sampling"


def session_figures(events: Iterable[AnyEvent], device: str) -> RunFigures:
    """The figures of the last start in these events."""
    last: list[AnyEvent] = []
    for event in events:
        if isinstance(event, Started):
            last.clear()
        last.append(event)
    steps = [event.seconds for event in last if isinstance(event, StepDone) and event.seconds is not None]
    timed = steps[WARMUP_STEPS:]
    return RunFigures(
        device=device,
        steps=len(timed),
        seconds_per_step=statistics.median(timed) if timed else 0.0,
        peak_bytes=next((event.peak_memory_bytes for event in last if isinstance(event, Finished)), 0),
        caching_seconds=_caching_seconds(last),
    )


def _caching_seconds(events: Iterable[AnyEvent]) -> float:
    began, total = None, 0.0
    for event in events:
        if not isinstance(event, PhaseBegun):
            continue
        if began is not None:
            total, began = total + event.unix_seconds - began, None
        if event.name.startswith("cache_"):
            began = event.unix_seconds
    return round(total, 3)

"""The receipts of runs on this machine, each a small file in the user's data folder; and how one comes about."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from advisor.estimate.calibration import Receipt, RunKind
    from advisor.estimate.vram import Phase
    from advisor.machine.hardware import Hardware
    from advisor.run_folder.events import AnyEvent, Finished
    from advisor.settings.config import TrainingConfig
    from wizard.processes.launch import Training

FOLDER_NAME = "receipts"
MOST_RECEIPTS = 200
"""The newest are kept."""
MOST_BYTES = 16 * 1024
"""No honest receipt is larger."""
WARMUP_STEPS = 2
"""The first steps have memory and kernels to fetch."""


class Receipts:
    """The folder of receipts; one file each, so that two runs at once never write the same."""

    def __init__(self, folder: Path | None = None) -> None:
        """Keep them below `folder`; None: the user's data folder."""
        from wizard.user_data import data_folder

        self._folder = (folder or data_folder()) / FOLDER_NAME

    def load(self) -> tuple[tuple[Receipt, ...], tuple[str, ...]]:
        """All that can be read, and a note where some cannot."""
        found, damaged = list[Any](), 0
        for path in self._paths():
            receipt = _read(path)
            if receipt is None:
                damaged += 1
            else:
                found.append(receipt)
        files = f"{damaged} damaged file{'s' if damaged > 1 else ''}"
        note = f"Passed over {files} of what earlier runs took: {self._folder} may be deleted at any time"
        return tuple(found), (note,) * bool(damaged)

    def keep(self, receipt: Receipt) -> None:
        """Add one, and remove the oldest beyond the number kept.

        Raises:
            RunError: it cannot be written.
        """
        from advisor.files import write_atomically

        name = f"{int(receipt.unix_seconds * 1000):015d}-{os.getpid()}-{os.urandom(2).hex()}.json"
        write_atomically(self._folder / name, json.dumps(asdict(receipt), ensure_ascii=False) + "\n")
        for path in self._paths()[:-MOST_RECEIPTS]:
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def _paths(self) -> list[Path]:
        try:
            return sorted(path for path in self._folder.iterdir() if path.suffix == ".json")
        except OSError:
            return []


def known_receipts() -> tuple[Receipt, ...]:
    """What earlier runs on this machine took; damaged files are told of."""
    from wizard.output import say

    found, notes = Receipts().load()
    for note in notes:
        say(note)
    return found


@dataclass(frozen=True)
class RunFigures:
    """What a start of a run took, or a probe of it."""

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
    caching_seconds: float = 0.0


def probe_figures(finished: Finished) -> RunFigures:
    """What a probe took, from its last event."""
    return RunFigures(
        device=finished.device,
        size=finished.size,
        steps=finished.steps,
        seconds_per_step=finished.seconds_per_step or 0.0,
        peak_bytes=finished.peak_memory_bytes,
    )


def keep_receipt(training: Training, took: RunFigures, kind: RunKind, *, hardware: Hardware | None = None) -> None:
    """Keep what a run took; where that fails, only say so: no run is worth less for it."""
    from advisor.errors import LoraError
    from advisor.machine.probe import probe_hardware
    from wizard.output import say

    if not took.seconds_per_step and not took.peak_bytes:
        return
    try:
        receipt = receipt_of(training, took, kind, hardware or probe_hardware(training.run.path))
        Receipts().keep(receipt)
    except LoraError as error:
        say(f"What this run took is not remembered for later plans: {error}")


def keep_run_receipt(training: Training, config: TrainingConfig, *, since: float) -> None:
    """Keep what the last start of a run took, finished or not.

    Args:
        since: unix seconds; a start before that was told of then.
    """
    from advisor.errors import LoraError

    try:
        events = training.run.read_events().events
    except LoraError:
        return  # the run itself has told of that
    device = "cpu" if training.device == "cpu" or config.memory.preset == "cpu" else "card"
    keep_receipt(training, session_figures((one for one in events if one.unix_seconds >= since), device), "train")


def receipt_of(training: Training, took: RunFigures, kind: RunKind, hardware: Hardware) -> Receipt:
    """What a run took beside what is predicted of it.

    Raises:
        LoraError: the configuration or the base model cannot be read any more.
    """
    from advisor.environment.packages import installed_packages
    from advisor.errors import MemoryFacts
    from advisor.estimate.calibration import Receipt, machine_key
    from advisor.estimate.timing import step_seconds
    from advisor.estimate.vram import phase_bytes
    from wizard.processes.retry_on_oom import situation_of

    torch = installed_packages(("torch",)).get("torch")
    situation = situation_of(training, MemoryFacts(device=took.device, largest=took.size))
    config, structure = situation.config, situation.structure
    on_processor = took.device == "cpu"
    card = next((gpu for gpu in hardware.gpus if gpu.uuid and gpu.uuid == training.gpu_uuid), hardware.main_gpu)
    gpu = None if on_processor else card
    phases = (phase_bytes(phase, config, structure, size=situation.size) for phase in _beside_steps(config, kind))
    predicted = max(situation.predicted_bytes, *phases)
    if on_processor:
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
            "text_encoder": config.optimizer.text_encoder_learning_rate > 0,
            "batch_parts": situation.batch_parts,
        },
    )


def _beside_steps(config: TrainingConfig, kind: RunKind) -> Iterator[Phase]:
    """What else of a run can be its peak: where steps take little, drawing and encoding take more."""
    yield "caching"
    every = config.sampling.every_epochs
    if kind == "train" and config.sampling.prompts and 0 < every <= config.schedule.epochs:
        yield "sampling"


def session_figures(events: Iterable[AnyEvent], device: str) -> RunFigures:
    """What the last start of a run took, from its events."""
    from advisor.run_folder.events import Finished, Started, StepDone

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
    from advisor.run_folder.events import PhaseBegun

    began, total = None, 0.0
    for event in events:
        if not isinstance(event, PhaseBegun):
            continue
        if began is not None:
            total, began = total + event.unix_seconds - began, None
        if event.name.startswith("cache_"):
            began = event.unix_seconds
    return round(total, 3)


def _read(path: Path) -> Receipt | None:
    from advisor.estimate.calibration import RECEIPT_VERSION, Receipt

    try:
        if path.stat().st_size > MOST_BYTES:
            return None
        tree = json.loads(path.read_text(encoding="utf-8"))
        known = {field.name for field in fields(Receipt)}
        receipt = Receipt(**{key: value for key, value in tree.items() if key in known})
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    return receipt if receipt.version == RECEIPT_VERSION and _is_sound(receipt) else None


def _is_sound(receipt: Receipt) -> bool:
    """Whether its figures are numbers that can be."""
    numbers = (receipt.predicted_bytes, receipt.peak_bytes, receipt.step_seconds, receipt.steps, receipt.unix_seconds)
    predicted = receipt.predicted_step_seconds
    return (
        isinstance(receipt.machine, str)
        and all(type(one) in (int, float) and 0 <= one < 1e15 for one in numbers)
        and (predicted is None or (type(predicted) in (int, float) and 0 < predicted < 1e9))
    )

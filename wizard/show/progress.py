"""The state of a training, accumulated from its events."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, replace

from advisor.run_folder.events import (
    AnyEvent,
    EpochDone,
    Failed,
    Finished,
    LoraMoved,
    LoraSaved,
    PhaseBegun,
    PhaseProgress,
    Reloaded,
    RungTaken,
    Started,
    StepDone,
    WarningGiven,
)
from advisor.run_folder.ladder_file import Taken
from advisor.run_folder.loss_curve import smoothed

STEPS_TIMED = 50
"""The time of a step is the median of the last ones."""

PHASES = {
    "start": "Starting the trainer",
    "check_images": "Looking through the pictures", "compare_images": "Comparing the pictures",
    "load": "Loading the base model", "cache_latents": "Encoding the pictures", "cache_text": "Encoding the captions",
    "cache_masks": "Reading the masks", "validate": "Measuring the validation loss",
    "train": "Training", "sample": "Drawing samples", "save": "Saving", "check": "Checking the LoRA",
    "grid": "Drawing pictures", "judge": "Measuring the pictures",
    "load_tagger": "Loading the tagger", "tag": "Tagging the pictures", "download": "Downloading (MiB)",
}  # fmt: skip


@dataclass(frozen=True)
class TrainingProgress:
    """What the events so far add up to."""

    phase: str = ""
    done: int = 0
    total: int = 0
    step: int = 0
    steps: int = 0
    """Planned; 0: not known yet."""
    epoch: int = 0
    epochs: int = 0
    """Of the whole training; 0: not known yet."""
    loss: float | None = None
    """Smoothed."""
    step_seconds: tuple[float, ...] = ()
    """Of the last STEPS_TIMED steps."""
    peak_memory_bytes: int = 0
    loras: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    ladder: tuple[Taken, ...] = ()
    reload_check: Reloaded | None = None
    finished: Finished | None = None
    failed: Failed | None = None

    @property
    def seconds_per_step(self) -> float | None:
        """The median over the last steps; None before the first."""
        return statistics.median(self.step_seconds) if self.step_seconds else None

    @property
    def seconds_left(self) -> float | None:
        """Until the last step; None: not known yet."""
        each = self.seconds_per_step
        return None if each is None or not self.steps else each * max(0, self.steps - self.step)

    def after(self, event: AnyEvent) -> TrainingProgress:
        """The progress with one more event."""
        match event:
            case Started():
                return self._after_start(event)
            case PhaseBegun():
                return self._after_phase(event)
            case PhaseProgress():
                return replace(
                    self, phase=event.phase or self.phase, done=event.done, total=event.total or self.total
                )  # fmt: skip
            case StepDone():
                return self._after_step(event)
            case EpochDone():
                return replace(self, epoch=event.epoch)
            case LoraSaved() | LoraMoved():
                return replace(self, loras=_loras_after(self.loras, event))
            case WarningGiven():
                return replace(self, warnings=tuple(dict.fromkeys((*self.warnings, event.message))))
            case RungTaken():
                return replace(self, ladder=(*self.ladder, event.taken))
            case Reloaded():
                return replace(self, reload_check=event)
            case Finished():
                return replace(self, finished=event)
            case Failed():
                return replace(self, failed=event)
            case _:
                return self

    def _after_start(self, event: Started) -> TrainingProgress:
        """Going on keeps the LoRAs and what was warned of; beginning anew keeps what came before the event."""
        again = replace(self, step=event.resumed_from or 0, step_seconds=(), finished=None, failed=None)
        return again if event.resumed_from else replace(again, epoch=0, loss=None, loras=(), reload_check=None)

    def _after_phase(self, event: PhaseBegun) -> TrainingProgress:
        if event.name != "train":
            return replace(self, phase=event.name, done=0, total=event.total)
        steps, epochs = event.total or self.steps, event.epochs or self.epochs
        return replace(self, phase=event.name, done=self.step, total=event.total, steps=steps, epochs=epochs)

    def _after_step(self, event: StepDone) -> TrainingProgress:
        times = self.step_seconds if event.seconds is None else (*self.step_seconds, event.seconds)
        return replace(
            self, phase="train", done=event.step, total=self.steps or self.total, step=event.step,
            loss=self.loss if event.loss is None else smoothed(self.loss, event.loss),
            epoch=event.epoch or self.epoch, step_seconds=times[-STEPS_TIMED:],
            peak_memory_bytes=max(self.peak_memory_bytes, event.memory_bytes),
        )  # fmt: skip


def _loras_after(loras: tuple[str, ...], event: LoraSaved | LoraMoved) -> tuple[str, ...]:
    if isinstance(event, LoraMoved):
        return tuple(event.after if lora == event.before else lora for lora in loras)
    return (*(lora for lora in loras if lora != event.path), event.path)


def training_document(progress: TrainingProgress) -> dict[str, object]:
    """The document of `train --json`; the fields of the `finished` event replace what was counted from the others."""
    finished = {} if progress.finished is None else progress.finished.given_fields()
    counted = {
        "steps": progress.step,
        "epochs": progress.epoch,
        "loras": list(progress.loras),
        "seconds_per_step": progress.seconds_per_step or 0.0,
        "peak_memory_bytes": progress.peak_memory_bytes,
        "ladder": [rung.model_dump() for rung in progress.ladder],
        "reload_check": {} if progress.reload_check is None else progress.reload_check.given_fields(),
    }
    return {**counted, **finished}

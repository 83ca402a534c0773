"""How far a training is, worked out from its events."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from advisor.run_folder.events import events_in

SMOOTHING = 0.05
"""Weight of a new loss in the shown one, which would jump about otherwise."""

STEPS_TIMED = 50
"""The time of a step is the middle one of so many."""

PHASES = {
    "start": "Starting the trainer",
    "load": "Loading the base model", "cache_latents": "Encoding the pictures", "cache_text": "Encoding the captions",
    "cache_masks": "Reading the masks", "validate": "Measuring the validation loss",
    "train": "Training", "sample": "Drawing samples", "save": "Saving", "check": "Checking the LoRA",
}  # fmt: skip


@dataclass(frozen=True)
class Progress:
    """What the events said so far."""

    phase: str = ""
    done: int = 0
    total: int = 0
    step: int = 0
    steps: int = 0
    """All that are planned; 0: not known yet."""
    epoch: int = 0
    loss: float | None = None
    """Smoothed."""
    step_seconds: tuple[float, ...] = ()
    """Of the last steps."""
    peak_memory_bytes: int = 0
    loras: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    ladder: tuple[Mapping[str, Any], ...] = ()
    reload_check: Mapping[str, Any] | None = None
    finished: Mapping[str, Any] | None = None
    failed: Mapping[str, Any] | None = field(default=None)

    @property
    def seconds_per_step(self) -> float | None:
        """The middle of the last steps' times."""
        return statistics.median(self.step_seconds) if self.step_seconds else None

    @property
    def seconds_left(self) -> float | None:
        """Until the last step."""
        each = self.seconds_per_step
        return None if each is None or not self.steps else each * max(0, self.steps - self.step)

    def after(self, event: Mapping[str, Any]) -> Progress:
        """The progress with one more event; an unknown one changes nothing."""
        kind = event.get("event")
        if kind == "phase":
            return self._after_phase(event)
        if kind == "progress":
            done, total = _whole(event.get("done")), _whole(event.get("total")) or self.total
            return replace(self, phase=str(event.get("phase") or self.phase), done=done, total=total)
        if kind == "step":
            return self._after_step(event)
        if kind == "epoch":
            return replace(self, epoch=_whole(event.get("epoch")))
        if kind == "saved":
            path = str(event.get("path"))
            return replace(self, loras=(*(lora for lora in self.loras if lora != path), path))
        if kind == "warning":
            return replace(self, warnings=(*self.warnings, str(event.get("message"))))
        if kind == "ladder":
            return replace(self, ladder=(*self.ladder, _fields(event)))
        if kind == "finished":
            return replace(self, finished=_fields(event))
        if kind == "failed":
            return replace(self, failed=_fields(event))
        if kind == "reload_check":
            return replace(self, reload_check=_fields(event))
        return self

    def _after_phase(self, event: Mapping[str, Any]) -> Progress:
        name, total = str(event.get("name")), _whole(event.get("total"))
        if name == "train":
            return replace(self, phase=name, done=self.step, total=total, steps=total or self.steps)
        return replace(self, phase=name, done=0, total=total)

    def _after_step(self, event: Mapping[str, Any]) -> Progress:
        loss, seconds = event.get("loss"), event.get("seconds")
        smooth = self.loss
        if isinstance(loss, int | float):
            smooth = loss if smooth is None else smooth + SMOOTHING * (loss - smooth)
        times = (*self.step_seconds, float(seconds)) if isinstance(seconds, int | float) else self.step_seconds
        step = _whole(event.get("step"))
        return replace(
            self, phase="train", done=step, total=self.steps or self.total, step=step, loss=smooth,
            epoch=_whole(event.get("epoch")) or self.epoch, step_seconds=times[-STEPS_TIMED:],
            peak_memory_bytes=max(self.peak_memory_bytes, _whole(event.get("memory_bytes"))),
        )  # fmt: skip


class EventTail:
    """Reads what is added to a run's event file."""

    def __init__(self, path: Path) -> None:
        """Begin at the file's present end; it need not exist yet."""
        self._path, self._rest = path, b""
        self._position = path.stat().st_size if path.exists() else 0

    def new(self) -> Iterator[dict[str, Any]]:
        """The events written since the last call; a line that is not finished yet waits for the next."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._position)
                data = file.read()
        except OSError:
            return
        self._position += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        yield from events_in(lines)


def _whole(value: object) -> int:
    return int(value) if isinstance(value, int | float) else 0


def _fields(event: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key not in ("t", "event")}

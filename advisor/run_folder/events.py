"""The events of a run (docs/interface.md): one frozen model for each kind of line in `log/events.jsonl`.

A field with a default may be missing, as in files of older versions; fields and kinds of a newer version are passed
over (`advisor.run_folder.event_file`).
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from pydantic import Field, field_serializer

from advisor.errors import MemoryFacts
from advisor.run_folder.ladder_file import Taken
from advisor.run_folder.record import Count, Difference, Number, Record, Text

MOST_UNIX_SECONDS = 1e11
"""No clock says more."""


class Event(Record):
    """One line: the time it was written at, its kind, and that kind's fields."""

    unix_seconds: float = Field(0.0, alias="t", ge=0, le=MOST_UNIX_SECONDS)
    """The writer's clock; 0: not written yet, or by a writer without one."""
    event: str

    def given_fields(self) -> dict[str, Any]:
        """The fields that were given, in the model's order, by their names in the file; without time and kind."""
        given = self.model_fields_set - {"unix_seconds", "event"}
        return self.model_dump(by_alias=True, include=given)

    def line(self) -> dict[str, Any]:
        """The object that is written as one line of JSON."""
        return {"t": self.unix_seconds, "event": self.event, **self.given_fields()}


class Started(Event):
    """A start of the training: the first, or one that resumes."""

    event: Literal["started"] = "started"
    config_hash: Text = ""
    resumed_from: Count | None = None
    """The step of the state that it goes on from; None: from the beginning."""
    memory_cap_bytes: Count | None = None
    """What torch may take of the GPU's memory; None: all."""
    processes: Count = 1
    """So many train it together."""


class PhaseBegun(Event):
    """A part of the work begins: check_images, compare_images, load, cache_latents and
    so on (docs/interface.md, "events.jsonl")."""

    event: Literal["phase"] = "phase"
    name: Text
    total: Count = 0
    """Pieces of work in it."""
    epochs: Count = 0
    """Of `train`: how many epochs the whole training has, the last of them perhaps in part; 0: not known."""


class PhaseProgress(Event):
    """So many pieces of a part of the work are done."""

    event: Literal["progress"] = "progress"
    phase: Text = ""
    done: Count = 0
    total: Count = 0


class StepDone(Event):
    """An optimizer step."""

    event: Literal["step"] = "step"
    step: Count
    """Counted from 1 over the whole training."""
    epoch: Count = 0
    """Counted from 1."""
    loss: Number = None
    unet_learning_rate: Number = None
    """None: the optimizer chooses it."""
    text_encoder_learning_rate: Number = None
    gradient_norm: Number = None
    """Before clipping."""
    seconds: Number = None
    memory_bytes: Count = 0
    """The GPU's as torch has it; on a CPU the process's."""


class Validated(Event):
    """The loss on the images that are held out."""

    event: Literal["validation"] = "validation"
    step: Count
    epoch: Count = 0
    loss: Number = None


class EpochDone(Event):
    """The end of an epoch."""

    event: Literal["epoch"] = "epoch"
    epoch: Count
    """Epochs done."""


class LoraSaved(Event):
    """A LoRA's file is written."""

    event: Literal["saved"] = "saved"
    path: Text
    """Within the run folder."""
    step: Count = 0
    epoch: Count = 0


class LoraMoved(Event):
    """A LoRA of an earlier training has another name, because this training would have overwritten it."""

    event: Literal["moved"] = "moved"
    before: Text = Field(alias="from")
    """Within the run folder, as is `after`."""
    after: Text = Field(alias="to")


class SampleDrawn(Event):
    """A sample image is written."""

    event: Literal["sample"] = "sample"
    path: Text
    """Within the run folder."""
    prompt: Text = ""
    seed: Count = 0
    epoch: Count = 0


class WarningGiven(Event):
    """Something the user should hear that does not stop the training."""

    event: Literal["warning"] = "warning"
    code: Text = ""
    message: Text


class RungTaken(Event):
    """Memory ran out, and the training goes on with one rung of the memory ladder."""

    event: Literal["ladder"] = "ladder"
    rung: Text = ""
    before: dict[str, Any] = Field({}, alias="from")
    """What it changed, by setting path, as it was."""
    after: dict[str, Any] = Field({}, alias="to")
    message: Text = ""
    step: Count = 0
    saved_bytes: Difference = 0
    slowdown: float = Field(1.0, allow_inf_nan=False)
    price: Text = ""
    cause: Text = ""

    @classmethod
    def of(cls, taken: Taken) -> RungTaken:
        """The event for a rung."""
        return cls(**taken.model_dump())

    @property
    def taken(self) -> Taken:
        """The rung as `ladder.json` keeps it."""
        return Taken.model_validate(self.model_dump(exclude={"unix_seconds", "event"}))


class Paused(Event):
    """The disk is full, and a write waits for room."""

    event: Literal["paused"] = "paused"
    folder: Text = ""
    needed_bytes: Count = 0
    free_bytes: Count | None = None
    """None: not known."""


class Resumed(Event):
    """There is room again, and the training goes on."""

    event: Literal["resumed"] = "resumed"
    folder: Text = ""


class ReloadFigures(Record):
    """What reading the saved LoRA back showed (`trainer.lora_files.reload_check.ReloadCheck`)."""

    missing: Count = 0
    unexpected: Count = 0
    unet_change: Number = None
    text_change: Number = None
    zero_change: Number = None
    difference: Number = None
    tolerance: Number = None


class Reloaded(ReloadFigures, Event):
    """The saved LoRA was read back and compared."""

    event: Literal["reload_check"] = "reload_check"


class Finished(Event):
    """The end of a training, or of the probe that `loracle measure` runs; each gives its own fields."""

    event: Literal["finished"] = "finished"
    device: Text = ""
    """The probe's: torch's name of the device's type."""
    size: tuple[Count, Count] | None = None
    """The probe's: width and height of the images, in pixels."""
    steps: Count = 0
    """Of the whole training; of the probe those that were timed."""
    seconds: Number = None
    """Of the whole training, resumed parts included."""
    epochs: Count = 0
    loras: tuple[Text, ...] = ()
    """Within the run folder, oldest first."""
    seconds_per_step: Number = None
    """The median."""
    peak_memory_bytes: Count = 0
    """What torch had allocated; on a CPU of the process."""
    peak_reserved_bytes: Count = 0
    """What torch's allocator held of the GPU for it; 0: it does not tell."""
    ladder: tuple[Taken, ...] = ()
    reload_check: ReloadFigures | None = None
    batch_parts: Count = 1
    """The probe's: micro-batches that each batch was split into."""


class Failed(Event):
    """The end of a training that did not reach its end."""

    event: Literal["failed"] = "failed"
    code: Text = ""
    """One of `trainer.runtime.failure_codes`, `interrupted`, or `defect`."""
    message: Text = ""
    memory: MemoryFacts | None = None
    """Where memory ran out."""

    @field_serializer("memory")
    def _memory(self, memory: MemoryFacts | None) -> dict[str, Any] | None:
        return None if memory is None else memory.given_fields()


AnyEvent: TypeAlias = (
    Started | PhaseBegun | PhaseProgress | StepDone | Validated | EpochDone | LoraSaved | LoraMoved | SampleDrawn
    | WarningGiven | RungTaken | Paused | Resumed | Reloaded | Finished | Failed
)  # fmt: skip
"""Every kind of event that this version knows."""

"""What `failed` events call each kind of error; without torch, so that a refusal comes at once."""

from __future__ import annotations

from advisor.errors import (
    BrokenImages,
    ConfigError,
    ConfigErrors,
    DatasetError,
    HardwareError,
    LoraError,
    ModelError,
    OutOfMemory,
    RunError,
    TrainingStopped,
)
from advisor.run_folder.events import Failed

CODES: tuple[tuple[type[LoraError], str], ...] = (
    (OutOfMemory, "out_of_memory"),
    (TrainingStopped, "training_stopped"),
    (ConfigError, "config"),
    (ConfigErrors, "config"),
    (BrokenImages, "broken_images"),
    (DatasetError, "dataset"),
    (ModelError, "model"),
    (HardwareError, "hardware"),
    (RunError, "run"),
)
"""The first that fits counts."""


def failed_event(error: LoraError) -> Failed:
    """The `failed` event of an error; where memory ran out, with the memory's facts."""
    code = next((code for kind, code in CODES if isinstance(error, kind)), "error")
    if isinstance(error, OutOfMemory):
        return Failed(code=code, message=str(error), memory=error.facts)
    return Failed(code=code, message=str(error))

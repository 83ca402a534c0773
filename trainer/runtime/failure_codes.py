"""What `failed` events call each kind of error; without torch, so that a refusal comes at once."""

from __future__ import annotations

from advisor.errors import (
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

CODES: tuple[tuple[type[LoraError], str], ...] = (
    (OutOfMemory, "out_of_memory"),
    (TrainingStopped, "training_stopped"),
    (ConfigError, "config"),
    (ConfigErrors, "config"),
    (DatasetError, "dataset"),
    (ModelError, "model"),
    (HardwareError, "hardware"),
    (RunError, "run"),
)
"""The first that fits counts."""


def failure_code(error: LoraError) -> str:
    """The code of an error in a `failed` event."""
    return next((code for kind, code in CODES if isinstance(error, kind)), "error")

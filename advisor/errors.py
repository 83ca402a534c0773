"""What can go wrong by the user's hand, each saying what was wrong, what was found and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any


class LoraError(Exception):
    """A mistake that a user can mend; the message is all they see of it."""

    exit_code = 2
    """What the process ends with: 2 the input is wrong, 3 training stopped itself, 75 out of memory."""


class ConfigError(LoraError):
    """A setting has a value that it cannot have."""

    def __init__(self, path: str, found: object, mend: str) -> None:
        """Name the setting by its dotted path, e.g. `network.rank`."""
        self.path, self.found, self.mend = path, found, mend
        super().__init__(f"{path} is {found!r}: {mend}")


class UnknownSetting(ConfigError):
    """There is no setting of that name."""

    def __init__(self, path: str, mend: str) -> None:
        """Name what was asked for and what may have been meant."""
        super().__init__(path, None, mend)
        self.args = (f"there is no setting {path}: {mend}",)


class ConfigErrors(LoraError):
    """Several settings are wrong; all are reported at once."""

    def __init__(self, errors: Sequence[ConfigError], where: str = "") -> None:
        """Keep the single errors for those who show them one by one; `where` names the file they are in."""
        self.errors = tuple(errors)
        lines = [f"{where}:"] * bool(where) + [str(error) for error in errors]
        super().__init__("\n".join(lines))


class DatasetError(LoraError):
    """The pictures or their captions cannot be used."""


class BrokenImages(DatasetError):
    """Some images, or their masks, cannot be decoded; all are told at once, and they can be left out."""

    @classmethod
    def of(cls, reasons: Sequence[str], command: str) -> BrokenImages:
        """The error for a sentence on each image, with its path, and the command that trains without them."""
        count = "1 picture" if len(reasons) == 1 else f"{len(reasons)} pictures"
        lines = [f"{count} cannot be used:", *(f"  {why}" for why in reasons), f"Or leave them out: `{command}`"]
        return cls("\n".join(lines))


class ModelError(LoraError):
    """The base model cannot be used."""


class HardwareError(LoraError):
    """The machine lacks what the request needs."""


class RunError(LoraError):
    """The run folder cannot be read or written."""


class TrainingStopped(LoraError):
    """Training ended itself and kept the last good LoRA."""

    exit_code = 3


@dataclass(frozen=True)
class MemoryFacts:
    """What was seen when memory ran out, by which the memory ladder chooses what to change."""

    phase: str = "step"
    """What was being done: loading, caching or step."""
    device: str = ""
    """torch's name of the device's type, e.g. `cuda`."""
    largest: tuple[int, int] | None = None
    """Width and height of the largest training size, in pixels."""
    peak_bytes: int = 0
    total_bytes: int = 0
    free_bytes: int = 0
    others_bytes: int = 0
    """What other programs took since the training began."""
    spill: float | None = None
    """How many times slower steps became, where the driver put GPU memory into RAM; None: it did not."""
    step: int = 0
    """Steps done; known to the launcher, which counts them."""

    def given_fields(self) -> dict[str, Any]:
        """Its fields in the event `failed`."""
        left_out = {"step"} if self.spill is not None else {"step", "spill"}
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name not in left_out}


class OutOfMemory(TrainingStopped):
    """The card or the machine has no memory left."""

    exit_code = 75

    def __init__(self, message: str, facts: MemoryFacts = MemoryFacts()) -> None:
        """Keep what was seen of the memory, for the ladder."""
        super().__init__(message)
        self.facts = facts

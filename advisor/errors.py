"""What can go wrong by the user's hand, each saying what was wrong, what was found and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

T = TypeVar("T")


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

    def at_line(self, number: int) -> ConfigError:
        """The same error, which also names the line of its file."""
        placed = type(self).__new__(type(self))
        placed.path, placed.found, placed.mend = self.path, self.found, self.mend
        placed.args = (f"line {number}: {self}",)
        return placed


class UnknownSetting(ConfigError):
    """There is no setting of that name."""

    def __init__(self, path: str, mend: str) -> None:
        """Name what was asked for and what may have been meant."""
        super().__init__(path, None, mend)
        self.args = (f"there is no setting {path}: {mend}",)


class UserErrors(LoraError):
    """Several mistakes, all reported at once; what is wrong twice is reported once."""

    def __init__(self, errors: Iterable[LoraError], where: str = "") -> None:
        """Keep the single errors for those who show them one by one; `where` names the file they are in."""
        found = [one for error in errors for one in (error.errors if type(error) is UserErrors else (error,))]
        self.errors: tuple[LoraError, ...] = tuple({str(error): error for error in found}.values())
        super().__init__("\n".join([f"{where}:"] * bool(where) + [str(error) for error in self.errors]))


class ConfigErrors(UserErrors):
    """Several settings are wrong."""

    errors: tuple[ConfigError, ...]

    def __init__(self, errors: Iterable[ConfigError], where: str = "") -> None:
        """Keep the single errors; `where` names the file they are in."""
        super().__init__(errors, where)


class Mistakes:
    """Collects the mistakes of steps that do not hinder one another, so that the user hears of all at once."""

    def __init__(self) -> None:
        """There are none."""
        self.found: list[LoraError] = []

    def add(self, *errors: LoraError) -> None:
        """Add mistakes."""
        self.found += errors

    def attempt(self, make: Callable[[], T]) -> T | None:
        """What `make` gives; None where it raises a LoraError, which is added."""
        try:
            return make()
        except LoraError as error:
            self.add(error)
            return None

    def refuse(self) -> None:
        """Raise what was collected, if anything was.

        Raises:
            LoraError: the only mistake, as it is.
            UserErrors: there are several.
        """
        if self.found:
            errors = UserErrors(self.found)
            raise self.found[0] if len(errors.errors) == 1 else errors


class DatasetError(LoraError):
    """The pictures or their captions cannot be used."""


class BrokenImages(DatasetError):
    """Some images, or their masks, cannot be decoded; all are told at once, and they can be left out."""

    @classmethod
    def of(cls, reasons: Sequence[str], command: str) -> BrokenImages:
        """The error for a sentence on each image, with its path, and the command that trains without them."""
        count = "1 picture" if len(reasons) == 1 else f"{len(reasons)} pictures"
        lines = [
            f"{count} cannot be used:",
            *(f"  {why}" for why in reasons),
            f"Or leave {'it' if len(reasons) == 1 else 'them'} out: `{command}`",
        ]
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

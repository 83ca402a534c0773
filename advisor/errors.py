"""What can go wrong by the user's hand, each saying what was wrong, what was found and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


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
    """Several settings are wrong; all are told at once."""

    def __init__(self, errors: Sequence[ConfigError], where: str = "") -> None:
        """Keep the single errors for those who show them one by one; `where` names the file they are in."""
        self.errors = tuple(errors)
        lines = [f"{where}:"] * bool(where) + [str(error) for error in errors]
        super().__init__("\n".join(lines))


class DatasetError(LoraError):
    """The pictures or their captions cannot be used."""


class ModelError(LoraError):
    """The base model cannot be used."""


class HardwareError(LoraError):
    """The machine lacks what the request needs."""


class RunError(LoraError):
    """The run folder cannot be read or written."""


class TrainingStopped(LoraError):
    """Training ended itself and kept the last good LoRA."""

    exit_code = 3


class OutOfMemory(TrainingStopped):
    """The card or the machine has no memory left."""

    exit_code = 75

    def __init__(self, message: str, facts: Mapping[str, object] | None = None) -> None:
        """Keep what was seen of the memory, for the ladder."""
        super().__init__(message)
        self.facts = dict(facts or {})

"""`state/ladder.json`: what the ladder changed in a run. It is laid over loracle.toml at every start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from advisor.errors import RunError
from advisor.files import read_bounded, write_atomically
from advisor.run_folder.record import Record
from advisor.settings.config import TrainingConfig, changed

MOST_LADDER_BYTES = 1024 * 1024
"""No honest ladder is larger."""


class Taken(Record):
    """A rung that was taken."""

    rung: str
    before: dict[str, Any]
    """What it changed, by path, as it was; `batch_parts` is no setting."""
    after: dict[str, Any]
    message: str
    """What it does, saves and costs."""
    step: int = 0
    """Steps done when memory ran out."""
    saved_bytes: int = 0
    """What it saves by the prediction."""
    slowdown: float = 1.0
    """A step's time after it over the time before, as expected."""
    price: str = ""
    """What it costs, in words."""
    cause: str = ""
    """What was seen besides: a spill, memory that others took."""


class Ladder(BaseModel):
    """All that the ladder changed in a run; a field that this version does not know is an error: it may change more."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch_parts: int = Field(1, ge=1)
    """Into how many parts each batch is split, one after the other."""
    settings: dict[str, Any] = {}
    """Values by path, instead of loracle.toml's."""
    taken: tuple[Taken, ...] = ()
    """The rungs in their order."""

    def applied(self, config: TrainingConfig) -> TrainingConfig:
        """The configuration with what the ladder changed.

        Raises:
            ConfigErrors: a value does not fit.
        """
        for path, value in self.settings.items():
            config = changed(config, path, value)
        return config


def read_ladder(path: Path) -> Ladder:
    """What the ladder changed in a run; nothing where there is no such file.

    Raises:
        RunError: the file is damaged.
    """
    try:
        return Ladder.model_validate_json(read_bounded(path, MOST_LADDER_BYTES))
    except FileNotFoundError:
        return Ladder()
    except (ValidationError, ValueError, OSError) as error:
        mend = "delete it to train as loracle.toml says"
        raise RunError(f"{path} cannot be read ({str(error).splitlines()[0]}): {mend}") from error


def write_ladder(path: Path, ladder: Ladder) -> None:
    """Keep what the ladder changed.

    Raises:
        RunError: it cannot be written.
    """
    write_atomically(path, ladder.model_dump_json(indent=1) + "\n")

"""`state/ladder.json`: what the ladder changed in a run. It is laid over loracle.toml at every start.

What the user sets in loracle.toml after a rung was taken is the user's: the rung is in force no more.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from advisor.errors import ConfigErrors
from advisor.run_folder.record import Count, Difference, Record, read_record, write_record
from advisor.settings.config import QUANTISED, TrainingConfig, blank_config, changed, flat_settings, with_values

MOST_LADDER_BYTES = 1024 * 1024
"""No honest ladder is larger."""
MOST_BATCH_PARTS = 256
"""As many as a batch has pictures."""
UNTOLD = object()
SETTINGS_OF_RUNGS = (
    "memory.gradient_checkpointing", "memory.checkpointed_blocks", "memory.swapped_blocks", "optimizer.name",
    "memory.base_dtype", "memory.encode_slices", "dataset.resolution_px",
)  # fmt: skip
"""Those that a rung changes (`advisor.memory_ladder.rungs`), and no other: whoever writes this file could have a run
read, send or overwrite something else."""


class Taken(Record):
    """A rung that was taken."""

    rung: str
    before: dict[str, Any]
    """What it changed, by path, as it was; `batch_parts` is no setting."""
    after: dict[str, Any]
    message: str
    """What it does, saves and costs."""
    step: Count = 0
    """Steps done when memory ran out."""
    saved_bytes: Difference = 0
    """What it saves by the prediction."""
    slowdown: float = Field(1.0, allow_inf_nan=False)
    """A step's time after it over the time before, as expected."""
    price: str = ""
    """What it costs, in words."""
    cause: str = ""
    """What was seen besides: a spill, memory that others took."""


class Ladder(BaseModel):
    """All that the ladder changed in a run; a field that this version does not know is an error: it may change more."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch_parts: int = Field(1, ge=1, le=MOST_BATCH_PARTS)
    """Into how many parts each batch is split, one after the other."""
    settings: dict[str, Any] = {}
    """Values by path, instead of loracle.toml's."""
    taken: tuple[Taken, ...] = ()
    """The rungs in their order."""

    @field_validator("settings")
    @classmethod
    def _are_of_rungs(cls, settings: dict[str, Any]) -> dict[str, Any]:
        if other := sorted(set(settings) - set(SETTINGS_OF_RUNGS)):
            raise ValueError(f"the ladder changes {', '.join(SETTINGS_OF_RUNGS)}, and never {', '.join(other)}")
        try:
            with_values(blank_config(), settings)
        except ConfigErrors as errors:
            raise ValueError("; ".join(map(str, errors.errors))) from None
        return settings

    def applied(self, config: TrainingConfig) -> TrainingConfig:
        """The configuration with what the ladder changed, as far as it is in force.

        Raises:
            ConfigErrors: a value does not fit.
        """
        for path, value in self.in_force(config).settings.items():
            config = changed(config, path, value)
        return config

    def in_force(self, config: TrainingConfig) -> Ladder:
        """Without the settings that no longer are, in `config`, what they were when their rungs were taken."""
        now = dict(flat_settings(config))
        theirs = {path for path in self.settings if not _is_as_planned(path, now[path], self._before(path))}
        if not theirs:
            return self
        settings = {path: value for path, value in self.settings.items() if path not in theirs}
        taken = tuple(rung for rung in self.taken if not rung.after or not rung.after.keys() <= theirs)
        return self.model_copy(update={"settings": settings, "taken": taken})

    def _before(self, path: str) -> object:
        """What loracle.toml said of a setting when rungs began to change it; UNTOLD by ladders that do not say."""
        before: object = UNTOLD
        after: object = UNTOLD
        for rung in self.taken:
            if path in rung.after:
                if path in rung.before and (after is UNTOLD or rung.before[path] != after):
                    before = rung.before[path]
                after = rung.after[path]
        return before


def _is_as_planned(path: str, now: object, before: object) -> bool:
    if before is UNTOLD or now == before:
        return True
    # With `--device cpu` the rung saw float32 in place of the plan's precision; none of them saves memory.
    return path == "memory.base_dtype" and now not in QUANTISED and before not in QUANTISED


def read_ladder(path: Path) -> Ladder:
    """What the ladder changed in a run; nothing where there is no such file.

    Raises:
        RunError: the file is damaged.
    """
    try:
        return read_record(path, Ladder, most_bytes=MOST_LADDER_BYTES, mend="delete it to train as loracle.toml says")
    except FileNotFoundError:
        return Ladder()


def write_ladder(path: Path, ladder: Ladder) -> None:
    """Keep what the ladder changed.

    Raises:
        RunError: it cannot be written.
    """
    write_record(path, ladder.model_dump_json(indent=1) + "\n", Ladder)

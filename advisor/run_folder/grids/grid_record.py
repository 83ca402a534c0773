"""`grid/grid.json`: what was drawn of a run's LoRAs, or of a single LoRA, what was measured, and what is chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, field_validator

from advisor.choosing.cells import (
    MOST_PROMPTS,
    MOST_SEEDS,
    Cell,
    Choice,
    EpochExtras,
    EpochScores,
    MeasureName,
    PictureScores,
    Seed,
)
from advisor.errors import ConfigErrors, RunError
from advisor.run_folder.record import Count, Record, Text, read_record, write_record
from advisor.settings.config import SamplerName, blank_config, with_values

MOST_GRID_BYTES = 64 * 1024 * 1024
"""No honest record is larger: a cell with its scores takes about half a KiB."""
MOST_CELLS = 100_000
SETTINGS_OF_CHOICES = (
    "optimizer.learning_rate", "optimizer.unet_learning_rate", "optimizer.text_encoder_learning_rate",
    "schedule.epochs", "schedule.max_steps", "schedule.name", "network.rank", "network.alpha", "network.conv_rank",
    "network.conv_alpha", "dataset.prepend_trigger",
)  # fmt: skip
"""Those that a choice may change in the next run, and no other: whoever writes this file could have a run read, send or
overwrite something else."""


def _known(key: str) -> BeforeValidator:
    """Leaves out of a mapping in field `key` the measures of a newer version."""

    def known(entry: Any) -> Any:
        if not isinstance(entry, dict) or not isinstance(entry.get(key), dict):
            return entry
        return {**entry, key: {name: value for name, value in entry[key].items() if name in get_args(MeasureName)}}

    return BeforeValidator(known)


class GridRecord(Record):
    """A grid: what was asked for, its cells, and what was made of them."""

    version: Literal[1] = 1
    """Grids of another version are not read."""
    model: Text = ""
    """The base model's path."""
    lora: Text = ""
    """The path of a single LoRA; empty: those of a run."""
    lora_digest: Text = ""
    """Of that LoRA (`advisor.tensor_files.digests`); empty: of a run, or of an earlier version's grid."""
    trigger: Text = ""
    """The word that asks for the character; empty: none is known."""
    prompts: tuple[Text, ...] = Field((), max_length=MOST_PROMPTS)
    negative: Text = ""
    seeds: tuple[Seed, ...] = Field((), max_length=MOST_SEEDS)
    """Of the first prompt, as it was drawn at first; the cells have each prompt's own, and those that were drawn from
    since the first did not tell which epoch is the best. Of an earlier grid those of all prompts."""
    width_px: Count = 0
    height_px: Count = 0
    steps: Count = 0
    """Denoising steps."""
    guidance: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    sampler: SamplerName = "ddim"
    cells: tuple[Cell, ...] = Field((), max_length=MOST_CELLS)
    """In the order of epoch, weight, prompt and seed; the base model's first."""
    picture_scores: tuple[Annotated[PictureScores, _known("values")], ...] = Field((), max_length=MOST_CELLS)
    """Of each cell that was measured."""
    extras: tuple[EpochExtras, ...] = Field((), max_length=MOST_CELLS)
    scores: tuple[Annotated[EpochScores, _known("scores")], ...] = Field((), max_length=MOST_CELLS)
    choice: Choice | None = None
    """None: nothing was measured."""

    @field_validator("choice")
    @classmethod
    def _changes_what_choices_change(cls, choice: Choice | None) -> Choice | None:
        if choice is None:
            return None
        if other := sorted(set(choice.changes) - set(SETTINGS_OF_CHOICES)):
            raise ValueError(f"a choice changes {', '.join(SETTINGS_OF_CHOICES)}, and never {', '.join(other)}")
        try:
            with_values(blank_config(), dict(choice.changes))
        except ConfigErrors as errors:
            raise ValueError("; ".join(map(str, errors.errors))) from None
        return choice


def read_grid(path: Path) -> GridRecord:
    """The record in a file.

    Raises:
        RunError: there is no such file, or it is damaged.
    """
    try:
        mend = "delete it, and `loracle grid` writes it anew"
        return read_record(path, GridRecord, most_bytes=MOST_GRID_BYTES, mend=mend)
    except FileNotFoundError:
        raise RunError(f"{path} is not there: `loracle grid` draws pictures and writes it") from None


def write_grid(path: Path, record: GridRecord) -> None:
    """Put a record into a file.

    Raises:
        RunError: it cannot be written.
    """
    write_record(path, record.model_dump_json(indent=1) + "\n", GridRecord)

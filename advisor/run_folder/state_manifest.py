"""A state's `manifest.json`: how far a training is, and which files belong to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from advisor.errors import RunError
from advisor.files import read_bounded
from advisor.json_text import Malformed
from advisor.run_folder.paths import STATE, STATE_FILES
from advisor.run_folder.record import Count, Record, Text, parse_record

STATE_MANIFEST_NAME, WEIGHTS_NAME, OPTIMIZER_NAME = STATE_FILES
MOST_STATE_MANIFEST_BYTES = 1024**2
MOST_SECONDS = 1e12


@dataclass(frozen=True)
class Position:
    """How far a training is."""

    step: Count
    """Optimizer steps done."""
    epoch: Count
    """Epochs done."""
    step_in_epoch: Count
    """Steps done of the epoch at hand."""


BEGINNING = Position(0, 0, 0)


class FileEntry(Record):
    """By what a file of a state is known."""

    num_bytes: Count = Field(alias="bytes")
    sha256: Text


class StateFiles(Record):
    """The files beside the manifest; no others are read."""

    weights: FileEntry = Field(alias=WEIGHTS_NAME)
    optimizer: FileEntry = Field(alias=OPTIMIZER_NAME)


class StateManifest(Record):
    """What a state says of itself."""

    version: Literal[1] = 1
    """States of another version are not read."""
    position: Position
    config_hash: Text
    seconds: float = Field(ge=0, le=MOST_SECONDS)
    """How long it had trained."""
    optimizer_kind: Text | None = None
    """The optimizer's class; None: not known, or there was none."""
    epochs: Count | None = None
    """How many the training was to have; None: not known."""
    compute_dtype: Text | None = None
    """What it was computed in; None: not known."""
    files: StateFiles


def read_manifest(state: Path) -> StateManifest | None:
    """The manifest of the state in this folder; None where it is damaged."""
    try:
        return parse_record(read_bounded(state / STATE_MANIFEST_NAME, MOST_STATE_MANIFEST_BYTES), StateManifest)
    except (OSError, Malformed, ValidationError):
        return None


def newest_position(states: Sequence[Path]) -> Position | None:
    """The position of the newest state that can be read; None where there is none.

    Args:
        states: their folders, oldest first.
    """
    manifest = newest_manifest(states)
    return None if manifest is None else manifest.position


def newest_manifest(states: Sequence[Path]) -> StateManifest | None:
    """What the newest state that can be read says of itself; None where there is none.

    Args:
        states: their folders, oldest first.
    """
    manifests = (read_manifest(state) for state in reversed(states))
    return next((manifest for manifest in manifests if manifest is not None), None)


def begun_already(run: Path, resume: str) -> RunError:
    """The refusal to begin a training anew that has states.

    Args:
        resume: the command that goes on with it.
    """
    return RunError(
        f"{run} holds a training that was begun: `{resume}` goes on with it; to begin anew, delete {run / STATE} or "
        "make another run"
    )

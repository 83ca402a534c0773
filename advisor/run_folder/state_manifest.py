"""How far a run's newest state is, read from its manifest alone; `trainer.training.state` reads and writes the rest."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pydantic import Field, ValidationError

from advisor.files import read_bounded
from advisor.run_folder.record import Record

STATE_MANIFEST_NAME = "manifest.json"
MOST_STATE_MANIFEST_BYTES = 1024**2


class StatePosition(Record):
    """How far a training is."""

    step: int = Field(0, ge=0)
    epoch: int = Field(0, ge=0)
    """Epochs done."""


class _Manifest(Record):
    position: StatePosition


def read_position(state: Path) -> StatePosition | None:
    """The position of the state in this folder; None where it is damaged."""
    with suppress(OSError, ValidationError):
        text = read_bounded(state / STATE_MANIFEST_NAME, MOST_STATE_MANIFEST_BYTES)
        return _Manifest.model_validate_json(text).position
    return None


def newest_position(states: Sequence[Path]) -> StatePosition | None:
    """The position of the newest state that can be read; None where there is none.

    Args:
        states: their folders, oldest first.
    """
    positions = (read_position(state) for state in reversed(states))
    return next((position for position in positions if position is not None), None)

"""What a process that draws a grid is told by the one that starts it: a file beside its events, read once."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from advisor.choosing.cells import MOST_PROMPTS, MOST_SEEDS, Epoch, Seed, Weight
from advisor.files import write_atomically
from advisor.run_folder.grids.grid_paths import GridPaths
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.record import Count, Record, Text, read_record
from advisor.settings.config import TrainingConfig

REQUEST_NAME = "request.json"
MOST_REQUEST_BYTES = 16 * 1024 * 1024
MOST_LORAS = 1000
MOST_WEIGHTS = 64


class RequestedLora(Record):
    """A LoRA to draw with."""

    epoch: Epoch
    path: Text
    """Absolute."""


class GridRequest(Record):
    """A grid to draw; all paths are absolute."""

    config: TrainingConfig
    """Of the training, or of a single LoRA's base model; how pictures are drawn is in `sampling` and the resolution."""
    loras: tuple[RequestedLora, ...] = Field(max_length=MOST_LORAS)
    prompts: tuple[Text, ...] = Field(max_length=MOST_PROMPTS)
    seeds: tuple[Seed, ...] = Field(max_length=MOST_SEEDS)
    """Of the first prompt; the others have as many of their own."""
    weights: tuple[Weight, ...] = Field((1.0,), max_length=MOST_WEIGHTS)
    most_further: Count = 0
    """Pictures that may be drawn beyond these, from more seeds, where they do not tell which epoch is the best."""
    folder: Text
    """The run folder; of a single LoRA the grid's own folder."""
    is_run: bool = True
    device: Text | None = None
    """As `--device` has it."""

    @property
    def paths(self) -> GridPaths:
        """Where the grid lies."""
        folder = Path(self.folder)
        return RunFolder(folder).grid if self.is_run else GridPaths.alone(folder)


def read_request(folder: Path) -> GridRequest:
    """The request in a folder.

    Raises:
        RunError: it is damaged.
        FileNotFoundError: there is none.
    """
    mend = "start `loracle grid` again"
    return read_record(folder / REQUEST_NAME, GridRequest, most_bytes=MOST_REQUEST_BYTES, mend=mend)


def write_request(folder: Path, request: GridRequest) -> None:
    """Put the request into a folder.

    Raises:
        RunError: it cannot be written.
    """
    write_atomically(folder / REQUEST_NAME, request.model_dump_json() + "\n")

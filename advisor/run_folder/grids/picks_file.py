"""`grid/picks.jsonl`: which of two pictures the user took, one pick a line, kept as soon as it is made.

A pick names its pictures by their files, whose names are what they were made of. Where a grid is drawn again from other
prompts or LoRAs, the picks of the pictures that it no longer has stay in the file and do not count.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from advisor.choosing.cells import BASE_EPOCH, Cell, Epoch, Weight
from advisor.choosing.picks import BlindPick, Candidate, Picked, PickRanking, candidates_of, rank
from advisor.dataset.captions import has_word
from advisor.errors import RunError
from advisor.files import mend_of_writing, open_to_append, read_bounded
from advisor.json_text import Malformed
from advisor.run_folder.events import MOST_UNIX_SECONDS
from advisor.run_folder.grids.grid_record import GridRecord
from advisor.run_folder.record import Record, parse_record
from advisor.units import MIB

MOST_PICKS_BYTES = 2 * MIB
"""No honest file is larger: a pick takes about 300 bytes, and a session of a hundred LoRAs has 300."""

PicturePath = Annotated[str, Field(pattern=r"^pictures/[0-9a-f]{64}\.png$")]


class PickedSide(Record):
    """One of the two pictures."""

    path: PicturePath
    """Relative to the grid's folder."""
    epoch: Epoch = 0
    weight: Weight = 0.0

    @classmethod
    def of(cls, cell: Cell) -> PickedSide:
        """A cell's side of a pick."""
        return cls(path=cell.path, epoch=cell.epoch, weight=cell.weight)


class PickLine(Record):
    """A line of the file: a pick, or that one is taken back."""

    unix_seconds: float = Field(0.0, alias="t", ge=0, le=MOST_UNIX_SECONDS)
    left: PickedSide | None = None
    right: PickedSide | None = None
    picked: Picked | Literal["undo"]
    taken_back: float | None = Field(None, alias="of", ge=0, le=MOST_UNIX_SECONDS)
    """Of an undo: the time of the pick of these two pictures that it takes back; None: the one before it, whichever."""

    @classmethod
    def now(cls, left: Cell, right: Cell, picked: Picked) -> PickLine:
        """A pick made at this moment."""
        seconds = round(time.time(), 3)
        return cls.model_validate(
            {"t": seconds, "left": PickedSide.of(left), "right": PickedSide.of(right), "picked": picked}
        )

    def undone(self) -> PickLine:
        """The line that takes this pick back, whatever others picked since."""
        return self.model_copy(
            update={"unix_seconds": round(time.time(), 3), "picked": "undo", "taken_back": self.unix_seconds}
        )

    def takes_back(self, pick: PickLine) -> bool:
        """Whether this undo means that pick."""
        of = self.taken_back
        return of is None or (pick.unix_seconds, pick.left, pick.right) == (of, self.left, self.right)


@dataclass(frozen=True)
class PickLog:
    """What the file holds."""

    lines: tuple[PickLine, ...] = ()
    """The picks that stand: those taken back are left out."""
    damaged_lines: int = 0
    """Lines that are no pick, as a crash in the middle of a write leaves them."""

    def among(self, cells: Sequence[Cell]) -> list[BlindPick]:
        """The picks between pictures of these cells, oldest first."""
        by_path = {cell.path: cell for cell in cells}
        found = list[BlindPick]()
        for line in self.lines:
            left = None if line.left is None else by_path.get(line.left.path)
            right = None if line.right is None else by_path.get(line.right.path)
            if left is not None and right is not None and line.picked != "undo":
                one, other = (Candidate(cell.epoch, cell.weight) for cell in (left, right))
                found.append(BlindPick(one, other, line.picked, (left.prompt, left.seed)))
        return found


def read_picks(path: Path) -> PickLog:
    """The picks of a file; none where there is no file.

    Raises:
        RunError: the file is there and cannot be read, or is larger than any honest one.
    """
    try:
        content = read_bounded(path, MOST_PICKS_BYTES)
    except FileNotFoundError:
        return PickLog()
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}: delete it to begin anew") from None
    standing, damaged = list[PickLine](), 0
    for line in filter(None, content.split(b"\n")):
        try:
            found = parse_record(line, PickLine)
        except (Malformed, ValidationError):
            damaged += 1
            continue
        if found.picked != "undo":
            standing.append(found)
        elif meant := [place for place, pick in enumerate(standing) if found.takes_back(pick)]:
            del standing[meant[-1]]
    return PickLog(tuple(standing), damaged)


def append_pick(path: Path, line: PickLine) -> None:
    """Keep a pick: it is on the disk when this returns.

    Raises:
        RunError: it cannot be written.
    """
    text = json.dumps(line.model_dump(mode="json", by_alias=True, exclude_none=True))
    try:
        with open_to_append(path) as file:
            # A line that a crash cut off is ended first; an empty line is passed over.
            file.write(f"\n{text}\n".encode())
            os.fsync(file.fileno())
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror or error}: {mend_of_writing(error)}") from error


def votable(grid: GridRecord) -> list[Cell]:
    """The cells whose pictures are shown: of prompts that ask for the character, where any does."""
    asked = {number for number, prompt in enumerate(grid.prompts) if grid.trigger and has_word(prompt, grid.trigger)}
    asked = asked or set(range(len(grid.prompts)))
    return [cell for cell in grid.cells if cell.epoch != BASE_EPOCH and cell.prompt in asked]


def ranking_of(log: PickLog, grid: GridRecord) -> PickRanking | None:
    """What follows from the picks of a grid's pictures; None where there is none."""
    cells = votable(grid)
    picks = log.among(cells)
    return rank(picks, candidates_of(cells)) if picks else None

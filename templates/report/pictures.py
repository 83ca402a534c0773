"""The pictures of a run in rows: one for each prompt and seed, from the base model's own to the last epoch's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import TypeVar

from advisor.choosing.cells import BASE_EPOCH, BASE_WEIGHT
from advisor.files import is_file, is_folder
from advisor.run_folder.events import AnyEvent, SampleDrawn
from advisor.run_folder.grids.grid_record import GridRecord
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.paths import BEFORE_AFTER_NAME

MOST_PICTURES = 240
"""On a page; of more those between the first and the last column are thinned, then rows are left out."""
LEAST_COLUMNS = 6
"""So many stay in each row before rows are left out."""
FULL_WEIGHT = 1.0
"""Samples are drawn with the LoRA as it is trained."""

T = TypeVar("T")


@dataclass(frozen=True, order=True)
class Column:
    """A LoRA of the run at a weight."""

    epoch: int
    """0: the base model alone."""
    weight: float


BASE = Column(BASE_EPOCH, BASE_WEIGHT)


@dataclass(frozen=True)
class Row:
    """Pictures of one prompt from the same noise."""

    prompt: str
    seed: int
    pictures: Mapping[Column, Path]


@dataclass(frozen=True)
class Wall:
    """Pictures in rows and columns."""

    title: str
    rows: tuple[Row, ...]
    left_out: int = 0
    """Pictures that the page has no room for."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """All that a row has a picture of, the base model first."""
        return tuple(sorted({column for row in self.rows for column in row.pictures}))

    @property
    def num_pictures(self) -> int:
        """Of all rows."""
        return sum(len(row.pictures) for row in self.rows)


@dataclass(frozen=True)
class Strip:
    """Pictures side by side that no prompt is known of, each with what stands below it."""

    title: str
    pictures: tuple[tuple[str, Path], ...]


def grid_wall(run: RunFolder, grid: GridRecord) -> Wall:
    """The pictures of `loracle grid` that are there."""
    rows = dict[tuple[int, int], dict[Column, Path]]()
    for cell in grid.cells:
        path = run.grid.path / cell.path
        if cell.prompt < len(grid.prompts) and is_file(path):
            rows.setdefault((cell.prompt, cell.seed), {})[Column(cell.epoch, cell.weight)] = path
    return Wall("", tuple(Row(grid.prompts[prompt], seed, found) for (prompt, seed), found in sorted(rows.items())))


def sample_wall(run: RunFolder, events: Iterable[AnyEvent], title: str = "") -> Wall:
    """The pictures that were drawn while training and are there, by the events that tell of them."""
    there = _files(run)
    drawn = {event.path: event for event in events if isinstance(event, SampleDrawn) and event.path in there}
    rows = dict[tuple[str, int, int], dict[Column, Path]]()
    for name, event in drawn.items():
        column = BASE if event.epoch == BASE_EPOCH else Column(event.epoch, FULL_WEIGHT)
        keys = ((event.prompt, event.seed, number) for number in count())  # the same prompt may be drawn in two sizes
        key = next(key for key in keys if column not in rows.get(key, {}))
        rows.setdefault(key, {})[column] = there[name]
    return Wall(title, tuple(Row(prompt, seed, found) for (prompt, seed, _), found in rows.items()))


def other_strips(run: RunFolder, events: Iterable[AnyEvent]) -> tuple[Strip, ...]:
    """The other pictures among the samples, a strip for each folder; the demo's sheet has the same ones once more."""
    told = {BEFORE_AFTER_NAME, *(event.path for event in events if isinstance(event, SampleDrawn))}
    folders = dict[Path, list[tuple[str, Path]]]()
    for name, path in _files(run).items():
        if name not in told:
            folders.setdefault(path.parent, []).append((path.stem, path))
    titles = {folder: "" if folder == run.samples else folder.name.replace("_", " ") for folder in folders}
    return tuple(Strip(titles[folder], tuple(pictures)) for folder, pictures in folders.items())


def thinned(wall: Wall, keep: Iterable[Column] = (), most: int = MOST_PICTURES) -> Wall:
    """The wall with at most so many pictures.

    Args:
        keep: columns that stay where there is room for any, beside the first two and the last.
    """
    columns = wall.columns
    if wall.num_pictures <= most or not columns:
        return wall
    wide = max(min(LEAST_COLUMNS, len(columns)), most // len(wall.rows))
    wanted = dict.fromkeys([*columns[:2], columns[-1], *(column for column in keep if column in columns)])
    kept = set([*wanted, *(one for one in spread(columns, wide) if one not in wanted)][:wide])
    rows = tuple(_only(row, kept) for row in wall.rows[: max(1, most // wide)])
    return replace(wall, rows=rows, left_out=wall.num_pictures - sum(len(row.pictures) for row in rows))


def spread(found: tuple[T, ...], most: int) -> tuple[T, ...]:
    """At most so many of them, evenly spread from the first to the last."""
    if len(found) <= most:
        return found
    if most < 2:
        return found[:most]
    return tuple(found[round(number * (len(found) - 1) / (most - 1))] for number in range(most))


def _only(row: Row, columns: set[Column]) -> Row:
    return replace(row, pictures={column: path for column, path in row.pictures.items() if column in columns})


def _files(run: RunFolder) -> dict[str, Path]:
    """Pictures in the folder of samples, then those in each folder in it, by their path within the run."""
    if not is_folder(run.samples):
        return {}
    folders = [run.samples, *sorted(path for path in run.samples.glob("*") if is_folder(path))]
    found = (path for folder in folders for path in sorted(folder.glob("*.png")) if is_file(path))
    return {run.within(path): path for path in found}

"""Walls of pictures as the page's template takes them: heads, rows and pictures with their neighbours."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from advisor.choosing.cells import BASE_EPOCH, Choice
from advisor.dataset.captions import has_word
from templates.report.embedding import Embedded
from templates.report.pictures import Column, Row, Strip, Wall

NO_PROMPT = "Without a prompt"
WITHOUT_TRIGGER = "without the trigger: it should stay like the base model's"


@dataclass(frozen=True)
class Head:
    """What stands above a column."""

    label: str
    detail: str = ""
    mark: str = ""
    """`chosen`, `tied`, `picked` (by the user's own eyes), or empty."""


@dataclass(frozen=True)
class Shown:
    """A picture on the page."""

    id: str
    image: Embedded | None
    """None: the file cannot be read, or the page has no room for it."""
    alt: str
    caption: str
    href: str
    """The file itself, relative to the page."""
    near: Mapping[str, str]
    """The ids of its neighbours by `left`, `right`, `up`, `down`."""


@dataclass(frozen=True)
class ShownRow:
    """Pictures side by side; None where there is none."""

    label: str
    cells: tuple[Shown | None, ...]


@dataclass(frozen=True)
class Group:
    """Rows under one prompt."""

    title: str
    hint: str
    rows: tuple[ShownRow, ...]


@dataclass(frozen=True)
class ShownWall:
    """A wall as the template takes it."""

    id: str
    title: str
    heads: tuple[Head, ...]
    """Empty: no column has a name."""
    groups: tuple[Group, ...]
    left_out: int = 0
    has_base: bool = False
    """The first column is the base model's."""


@dataclass(frozen=True)
class Marks:
    """Which columns are marked."""

    choice: Choice | None = None
    picked: int | None = None
    """The epoch that the user picked without knowing it."""

    def of(self, column: Column, *, one_weight: bool) -> str:
        """The mark of a column.

        Args:
            one_weight: the wall has the LoRAs at one weight, whichever.
        """
        if column.epoch == BASE_EPOCH:
            return ""
        choice = self.choice
        fits = choice is not None and (one_weight or choice.weight in (None, column.weight))
        if choice is not None and fits and column.epoch == choice.epoch:
            return "chosen"
        if column.epoch == self.picked:
            return "picked"
        return "tied" if choice is not None and fits and column.epoch in choice.tied else ""


@dataclass(frozen=True)
class Drawn:
    """A picture with its words, before it is placed."""

    path: Path
    alt: str
    caption: str


def placed(
    name: str, rows: Sequence[Sequence[Drawn | None]], images: Mapping[Path, Embedded], page: Path
) -> list[tuple[Shown | None, ...]]:
    """Pictures of rows with their neighbours.

    Args:
        name: what their ids begin with.
        page: where the page is written, from which files are linked.
    """
    ids = [
        ["" if one is None or one.path not in images else f"{name}-{y}-{x}" for x, one in enumerate(row)]
        for y, row in enumerate(rows)
    ]
    return [
        tuple(
            None if one is None else Shown(
                ids[y][x], images.get(one.path), one.alt, one.caption, href(one.path, page), neighbours(ids, y, x)
            )
            for x, one in enumerate(row)
        )
        for y, row in enumerate(rows)
    ]  # fmt: skip


def shown_wall(
    wall: Wall, name: str, images: Mapping[Path, Embedded], *, page: Path, trigger: str, marks: Marks
) -> ShownWall:
    """The wall with its pictures embedded."""
    columns = wall.columns
    weights = {column.weight for column in columns if column.epoch != BASE_EPOCH}
    cells = placed(name, [[_drawn(row, column, weights) for column in columns] for row in wall.rows], images, page)
    several = len({row.seed for row in wall.rows}) > 1
    rows = dict[str, list[ShownRow]]()
    for row, found in zip(wall.rows, cells, strict=True):
        rows.setdefault(row.prompt, []).append(ShownRow(f"seed {row.seed}" if several else "", found))
    groups = tuple(Group(prompt or NO_PROMPT, hint(prompt, trigger), tuple(found)) for prompt, found in rows.items())
    heads = tuple(Head(*label_of(one, weights), marks.of(one, one_weight=len(weights) <= 1)) for one in columns)
    has_base = bool(columns) and columns[0].epoch == BASE_EPOCH
    return ShownWall(name, wall.title, heads, groups, wall.left_out, has_base)


def _drawn(row: Row, column: Column, weights: set[float]) -> Drawn | None:
    if column not in row.pictures:
        return None
    prompt, label = row.prompt or NO_PROMPT, " ".join(filter(None, label_of(column, weights)))
    alt, caption = f"{label}, seed {row.seed}: {prompt}", f"{prompt} \u00b7 {label} \u00b7 seed {row.seed}"
    return Drawn(row.pictures[column], alt, caption)


def shown_strips(strips: Sequence[Strip], name: str, images: Mapping[Path, Embedded], *, page: Path) -> ShownWall:
    """Pictures without prompts, a row for each strip."""
    rows = [
        [Drawn(path, f"{strip.title} {caption}".strip(), caption) for caption, path in strip.pictures]
        for strip in strips
    ]
    cells = placed(name, rows, images, page)
    groups = (Group(strip.title, "", (ShownRow("", found),)) for strip, found in zip(strips, cells, strict=True))
    return ShownWall(name, "", (), tuple(groups))


def label_of(column: Column, weights: set[float]) -> tuple[str, str]:
    """What a column is called, and its weight where there are several."""
    if column.epoch == BASE_EPOCH:
        return "base model", ""
    return f"epoch {column.epoch}", f"weight {column.weight:g}" if len(weights) > 1 else ""


def neighbours(ids: Sequence[Sequence[str]], y: int, x: int) -> Mapping[str, str]:
    """The ids of the nearest pictures beside, above and below one; rows may lack some."""
    row, column = ids[y], [each[x] if x < len(each) else "" for each in ids]
    found = {
        "left": next(filter(None, reversed(row[:x])), ""), "right": next(filter(None, row[x + 1 :]), ""),
        "up": next(filter(None, reversed(column[:y])), ""), "down": next(filter(None, column[y + 1 :]), ""),
    }  # fmt: skip
    return {direction: id_ for direction, id_ in found.items() if id_}


def href(path: Path, page: Path) -> str:
    """A file's address, relative to the folder of the page; empty on another drive."""
    try:
        return quote(Path(os.path.relpath(path, page.parent)).as_posix())
    except ValueError:
        return ""


def hint(prompt: str, trigger: str) -> str:
    """What a reader should look for."""
    return WITHOUT_TRIGGER if trigger and prompt and not has_word(prompt, trigger) else ""

"""Several runs side by side on one page: the same prompts' pictures, what came of each, which settings differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from advisor.choosing.cells import BASE_EPOCH
from advisor.errors import RunError
from advisor.files import is_file
from advisor.run_folder.layout import RunFolder
from advisor.same_place import resolved
from templates.render import render
from templates.report.embedding import embedded
from templates.report.pictures import BASE, MOST_PICTURES, Column, Row, grid_wall, sample_wall
from templates.report.put import page_parts, put_page
from templates.report.scores import ChoiceView, choice_view
from templates.report.side_by_side import different_settings, labels, outcomes
from templates.report.told import Told
from templates.report.walls import NO_PROMPT, Drawn, Group, Head, ShownRow, ShownWall, hint, href, placed

MOST_RUNS = 12
"""More are no longer seen side by side."""


@dataclass(frozen=True)
class RunHead:
    """A run in the head of the page."""

    name: str
    folder: str
    choice: ChoiceView | None
    href: str
    """Its own report; empty where there is none."""


@dataclass(frozen=True)
class Side:
    """The pictures of a run that are compared."""

    label: str
    rows: dict[tuple[str, int], Row]
    """By prompt and seed."""
    column: Column | None
    """Whose pictures are shown; None: the run has none but the base model's."""
    is_chosen: bool
    base: str
    """The base model's path."""


def write_comparison(
    runs: Sequence[RunFolder],
    *,
    page: Path | None = None,
    overwrite: bool = False,
    tell: Callable[[str], object] = lambda _: None,
) -> Path:
    """Write the page of several runs; returns its path.

    Args:
        page: where to; None: `comparison.html` in the first run's folder.
        overwrite: replace a page that the user changed or made, after keeping it beside.
        tell: is told where such a page is kept.

    Raises:
        UsersFiles: the page that is there is the user's.
        RunError: a run is given twice or there are too many, one has no plan.json or a damaged one, or the page cannot
            be written.
    """
    if len({resolved(run.path) for run in runs}) < len(runs):
        raise RunError("the same run is given twice: name each once")
    if len(runs) > MOST_RUNS:
        raise RunError(f"{len(runs)} runs are too many to be seen side by side: name {MOST_RUNS} at most")
    told, path = [Told.of(run) for run in runs], page or runs[0].comparison
    return put_page(path, rendered(told, path), runs[0], overwrite=overwrite, tell=tell)


def rendered(runs: Sequence[Told], page: Path) -> str:
    """The text of the page.

    Args:
        page: where it is written, from which files are linked.
    """
    names = labels(runs)
    return render(
        "report/files/comparison.html.j2",
        **page_parts(),
        names=names,
        heads=[_head(told, name, page) for told, name in zip(runs, names, strict=True)],
        wall=compared_wall(runs, page),
        outcomes=outcomes(runs),
        settings=different_settings(runs),
    )


def _head(told: Told, name: str, page: Path) -> RunHead:
    choice = None if told.grid is None or told.grid.choice is None else choice_view(told.grid.choice)
    report = href(told.run.report, page) if is_file(told.run.report) else ""
    return RunHead(name, str(told.run.path), choice, report)


def compared_wall(runs: Sequence[Told], page: Path) -> ShownWall | None:
    """Pictures of the same prompt and seed, a column for each run, the base models' in front; None where no two runs
    have a prompt and seed in common.
    """
    sides = [side_of(told, label) for told, label in zip(runs, labels(runs), strict=True)]
    keys = [key for key in dict.fromkeys(key for side in sides for key in side.rows) if _is_common(sides, key)]
    if not keys:
        return None
    columns = _columns(sides, keys)
    num_bases = sum(column == BASE for _, column in columns)
    shown = keys[: max(1, MOST_PICTURES // len(columns))]
    drawn = [[_drawn(side, column, key) for side, column in columns] for key in shown]
    images = embedded([one.path for row in drawn for one in row if one is not None])
    rows = dict[str, list[ShownRow]]()
    for (prompt, seed), cells in zip(shown, placed("c", drawn, images, page), strict=True):
        rows.setdefault(prompt, []).append(ShownRow(f"seed {seed}", cells))
    trigger = runs[0].trigger
    groups = tuple(Group(prompt or NO_PROMPT, hint(prompt, trigger), tuple(found)) for prompt, found in rows.items())
    heads = tuple(_column_head(side, column, num_bases) for side, column in columns)
    return ShownWall("compared", "", heads, groups, (len(keys) - len(shown)) * len(columns), num_bases == 1)


def _is_common(sides: Sequence[Side], key: tuple[str, int]) -> bool:
    """Whether two runs have a picture of a prompt and seed."""
    return sum(key in side.rows and side.column in side.rows[key].pictures for side in sides) > 1


def _columns(sides: Sequence[Side], keys: Sequence[tuple[str, int]]) -> list[tuple[Side, Column]]:
    """A column for each run, and before the first run of a base model one for that, where it was drawn."""
    columns = list[tuple[Side, Column]]()
    bases = set[str]()
    for side in sides:
        if side.base not in bases and any(BASE in side.rows[key].pictures for key in keys if key in side.rows):
            columns.append((side, BASE))
            bases.add(side.base)
        if side.column is not None:
            columns.append((side, side.column))
    return columns


def side_of(told: Told, label: str) -> Side:
    """The pictures of a run by prompt and seed: those of its grid, then those drawn while training."""
    rows = dict[tuple[str, int], Row]()
    for wall in ([] if told.grid is None else [grid_wall(told.run, told.grid)]) + [sample_wall(told.run, told.events)]:
        for row in wall.rows:
            rows.setdefault((row.prompt, row.seed), row)
    choice = None if told.grid is None else told.grid.choice
    there = sorted({one for row in rows.values() for one in row.pictures if one.epoch != BASE_EPOCH})
    chosen = [
        one for one in there if choice is not None and one.epoch == choice.epoch and choice.weight in (None, one.weight)
    ]
    base = "" if told.outline.base is None else told.outline.base.path
    return Side(label, rows, next(reversed(chosen or there), None), bool(chosen), base)


def _drawn(side: Side, column: Column, key: tuple[str, int]) -> Drawn | None:
    path = side.rows[key].pictures.get(column) if key in side.rows else None
    if path is None:
        return None
    what = "base model" if column == BASE else f"{side.label}, epoch {column.epoch}"
    prompt, seed = key[0] or NO_PROMPT, key[1]
    return Drawn(path, f"{what}, seed {seed}: {prompt}", f"{prompt} \u00b7 {what} \u00b7 seed {seed}")


def _column_head(side: Side, column: Column, num_bases: int) -> Head:
    if column == BASE:
        return Head("base model", side.label if num_bases > 1 else "")
    weight = "" if column.weight == 1 else f", weight {column.weight:g}"
    return Head(side.label, f"epoch {column.epoch}{weight}{', chosen' if side.is_chosen else ''}")

"""All pictures of a run's page: gathered, thinned to what it has room for, and embedded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from templates.report.embedding import embedded
from templates.report.pictures import (
    FULL_WEIGHT,
    MOST_PICTURES,
    Column,
    Strip,
    Wall,
    grid_wall,
    other_strips,
    sample_wall,
    spread,
    thinned,
)
from templates.report.told import Told
from templates.report.walls import Marks, ShownWall, shown_strips, shown_wall

DRAWN_WHILE_TRAINING = "Drawn while training"


def gallery(told: Told, page: Path) -> list[ShownWall]:
    """The pictures of the grid, those that were drawn while training, and those that no event tells of.

    Args:
        page: where the page is written, from which files are linked.
    """
    walls, strips = with_room(_walls(told), other_strips(told.run, told.events), _kept(told))
    paths = [path for wall in walls for row in wall.rows for path in row.pictures.values()]
    images = embedded([*paths, *(path for strip in strips for _, path in strip.pictures)])
    favourite = None if told.picks is None else told.picks.favourite
    picked = None if favourite is None else favourite.epoch
    marks = Marks(None if told.grid is None else told.grid.choice, picked)
    shown = [
        shown_wall(wall, f"p{number}", images, page=page, trigger=told.trigger, marks=marks)
        for number, wall in enumerate(walls)
    ]
    return shown + ([shown_strips(strips, "s", images, page=page)] if strips else [])


def _walls(told: Told) -> list[Wall]:
    grid = Wall("", ()) if told.grid is None else grid_wall(told.run, told.grid)
    title = DRAWN_WHILE_TRAINING if grid.rows else ""
    return [wall for wall in (grid, sample_wall(told.run, told.events, title)) if wall.rows]


def _kept(told: Told) -> tuple[Column, ...]:
    """The chosen columns, which are not thinned away."""
    choice = None if told.grid is None else told.grid.choice
    if choice is None or choice.epoch is None:
        return ()
    weights = {FULL_WEIGHT} if choice.weight is None else {FULL_WEIGHT, choice.weight}
    return tuple(Column(choice.epoch, weight) for weight in sorted(weights))


def with_room(
    walls: Sequence[Wall], strips: Sequence[Strip], keep: Sequence[Column] = (), most: int = MOST_PICTURES
) -> tuple[list[Wall], list[Strip]]:
    """Walls and strips with about so many pictures together at most: each has its share, and what others leave."""
    kept_strips = list[Strip]()
    share = max(1, most // (len(walls) + bool(strips)) if walls or strips else most)
    left = share if walls else most
    for strip in strips:
        pictures = spread(strip.pictures, max(1, left // max(1, len(strips))))
        kept_strips.append(Strip(strip.title, pictures))
    left = most - sum(len(strip.pictures) for strip in kept_strips)
    kept = list[Wall]()
    for number, wall in enumerate(walls):
        others = sum(min(share, other.num_pictures) for other in walls[number + 1 :])
        kept.append(thinned(wall, keep, max(1, left - others)))
        left -= kept[-1].num_pictures
    return kept, kept_strips[:most]

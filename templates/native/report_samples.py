"""The sample images of a run, in rows: one for each prompt, from its first epoch to its last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from advisor.files import is_file, is_folder
from advisor.run_folder.events import AnyEvent, SampleDrawn
from advisor.run_folder.layout import RunFolder

MOST_IMAGES = 48
"""On the page; of more those between the first and the last of each row are thinned."""
LEAST_IN_A_ROW = 4

T = TypeVar("T")


@dataclass(frozen=True)
class Picture:
    """An image with what stands below it."""

    path: Path
    caption: str


@dataclass(frozen=True)
class ImageRow:
    """Images that are shown side by side."""

    title: str
    pictures: tuple[Picture, ...]


def sample_rows(run: RunFolder, events: Iterable[AnyEvent]) -> tuple[ImageRow, ...]:
    """The sample images that are there: by prompt and seed those that events tell of, the others by folder."""
    there = {run.within(path): path for path in _files(run.samples)}
    drawn = {event.path: event for event in events if isinstance(event, SampleDrawn) and event.path in there}
    rows = dict[tuple[str, int], list[Picture]]()
    for name, event in sorted(drawn.items(), key=lambda one: one[1].epoch):
        rows.setdefault((event.prompt, event.seed), []).append(Picture(there[name], f"epoch {event.epoch}"))
    titled = [ImageRow(_title(prompt, seed, rows), tuple(found)) for (prompt, seed), found in rows.items()]
    return (*titled, *_by_folder(run.samples, [path for name, path in there.items() if name not in drawn]))


def thinned(rows: Sequence[ImageRow]) -> tuple[ImageRow, ...]:
    """The rows with at most about MOST_IMAGES images, each row's first and last among them."""
    most = max(LEAST_IN_A_ROW, MOST_IMAGES // max(1, len(rows)))
    return tuple(ImageRow(row.title, _spread(row.pictures, most)) for row in rows[:MOST_IMAGES])


def _spread(found: tuple[T, ...], most: int) -> tuple[T, ...]:
    """At most so many of them, evenly spread from the first to the last."""
    if len(found) <= most:
        return found
    return tuple(found[round(number * (len(found) - 1) / (most - 1))] for number in range(most))


def _title(prompt: str, seed: int, rows: Iterable[tuple[str, int]]) -> str:
    """The prompt; with the seed where it is drawn from several."""
    if sum(other == prompt for other, _ in rows) > 1:
        return f"{prompt} (seed {seed})"
    return prompt or "Without a prompt"


def _by_folder(samples: Path, paths: Iterable[Path]) -> list[ImageRow]:
    folders = dict[Path, list[Picture]]()
    for path in paths:
        folders.setdefault(path.parent, []).append(Picture(path, path.stem))
    return [
        ImageRow("" if folder == samples else folder.name.replace("_", " "), tuple(pictures))
        for folder, pictures in folders.items()
    ]


def _files(samples: Path) -> list[Path]:
    """Images in the folder, then those in each folder in it, by name."""
    if not is_folder(samples):
        return []
    folders = [samples, *sorted(path for path in samples.glob("*") if is_folder(path))]
    return [path for folder in folders for path in sorted(folder.glob("*.png")) if is_file(path)]

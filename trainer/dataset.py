"""The pictures as the training sees them: each with its size, repeats and caption, and the batches of every epoch."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch

from advisor.buckets import Bucketing, Placement, Size
from advisor.config import DatasetConfig, TrainingConfig
from advisor.dataset import DatasetReport, Picture
from advisor.errors import DatasetError
from advisor.files import write_atomically
from trainer.seeds import generator

MANIFEST_NAME = "images/manifest.jsonl"
"""Where the list of pictures lies in a run folder."""


@dataclass(frozen=True)
class Item:
    """One picture of the training."""

    index: int
    """Its place in the order of paths, which names it in seeds."""
    path: Path
    folder: str
    """The folder's path below the pictures' root; `.` is the root itself."""
    size: Size
    placement: Placement
    repeats: int
    caption: str

    @property
    def bucket(self) -> Size:
        """The size it is trained at."""
        return self.placement.bucket


@dataclass(frozen=True, order=True)
class View:
    """One showing of a picture within an epoch."""

    item: int
    repeat: int


T = TypeVar("T")
Batch = tuple[View, ...]
"""Showings of pictures of one size."""


@dataclass(frozen=True)
class TrainingSet:
    """All pictures, in the order of their paths."""

    items: tuple[Item, ...]

    @classmethod
    def of(cls, report: DatasetReport, config: TrainingConfig) -> TrainingSet:
        """The pictures that a scan found, as the configuration wants them trained.

        Raises:
            DatasetError: there are none.
        """
        if not report.pictures:
            raise DatasetError(f"{report.root} holds no pictures that can be used: put the training pictures there")
        bucketing, placed = Bucketing.of(config.dataset), dict[Size, Placement]()
        root, items = Path(report.root), list[Item]()
        repeats = _repeats_by_folder(report, config.dataset)
        for index, picture in enumerate(sorted(report.pictures, key=lambda one: one.path)):
            size = picture.width_px, picture.height_px
            placement = placed.get(size) or placed.setdefault(size, bucketing.place(*size))
            item = Item(
                index=index,
                path=root / picture.path,
                folder=report.folders[picture.folder].path,
                size=size,
                placement=placement,
                repeats=repeats[picture.folder],
                caption=_caption_of(picture, report, config),
            )
            items.append(item)
        return cls(tuple(items))

    @property
    def num_showings(self) -> int:
        """Pictures in one epoch, repeats counted."""
        return sum(item.repeats for item in self.items)

    def bucket_counts(self) -> Counter[Size]:
        """Showings of each size in one epoch."""
        counts: Counter[Size] = Counter()
        for item in self.items:
            counts[item.bucket] += item.repeats
        return counts

    def batches(self, *, seed: int, epoch: int, batch_size: int) -> tuple[Batch, ...]:
        """The batches of an epoch: every picture exactly `repeats` times, in an order that seed and epoch decide.

        Pictures of a batch have one size; the last batch of each size may be short.
        """
        by_bucket = defaultdict[Size, list[View]](list)
        for item in self.items:
            by_bucket[item.bucket].extend(View(item.index, repeat) for repeat in range(item.repeats))
        dice = generator(seed, "order", epoch)
        batches = list[Batch]()
        for bucket in sorted(by_bucket):
            views = _shuffled(by_bucket[bucket], dice)
            batches.extend(tuple(views[start : start + batch_size]) for start in range(0, len(views), batch_size))
        return tuple(_shuffled(batches, dice))


def write_manifest(run: Path, items: Iterable[Item]) -> None:
    """Put the list of pictures into the run folder, one JSON object a line.

    Raises:
        RunError: it cannot be written.
    """
    lines = (
        json.dumps(
            {
                "path": item.path.as_posix(),
                "size": item.size,
                "bucket": item.bucket,
                "repeats": item.repeats,
                "caption": item.caption,
            },
            ensure_ascii=False,
        )
        for item in items
    )
    write_atomically(run / MANIFEST_NAME, "".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))


def _shuffled(things: list[T], dice: torch.Generator) -> list[T]:
    return [things[place] for place in torch.randperm(len(things), generator=dice).tolist()]


def _repeats_by_folder(report: DatasetReport, config: DatasetConfig) -> list[int]:
    """The configuration's repeats for each of the report's folders; a folder named there covers those inside it."""
    named = {folder.path.strip("/") or ".": folder.repeats for folder in config.folders}
    return [_nearest(folder.path, named, config.repeats) for folder in report.folders]


def _nearest(path: str, named: dict[str, int], otherwise: int) -> int:
    while path not in ("", "."):
        if path in named:
            return named[path]
        path = path.rpartition("/")[0]
    return named.get(".", otherwise)


def _caption_of(picture: Picture, report: DatasetReport, config: TrainingConfig) -> str:
    """The caption; without a file what a folder named `N_concept` says, as kohya has it, else the trigger word."""
    if picture.caption is not None:
        return picture.caption
    return report.folders[picture.folder].concept or config.run.trigger

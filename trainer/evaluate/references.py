"""The pictures that drawn ones are to be like: a run's own, or those of any folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from advisor.dataset.scan import scan
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.run_dataset import run_dataset
from advisor.settings.config import TrainingConfig
from trainer.data.held_out import by_contents
from trainer.data.image_files import content_digest, read_image
from trainer.data.training_set import Item, TrainingSet

MOST = 32
"""So many of a set are looked at, evenly spread over it: more only take time."""


@dataclass(frozen=True)
class References:
    """Pictures of what a LoRA was trained to show, at the sizes that the base model is trained at."""

    trained: Sequence[Item]
    """Those that were trained on."""
    held_out: Sequence[Item]
    """Others, which nothing was trained on."""

    @classmethod
    def of_run(cls, run: Path, config: TrainingConfig) -> References:
        """A run's own.

        Raises:
            DatasetError: there are none any more, or one cannot be read.
            ConfigError: all show the same.
            RunError: the list of those left out, or the edits, cannot be read.
        """
        folder = RunFolder(run)
        report = run_dataset(folder, config).report.without(folder.read_left_out().paths)
        paths = [Path(report.root) / image.path for image in report.image_files]
        items = TrainingSet.of(report, config, held_out=_held_out(paths, run, config)).items
        trained = [item for item in items if item.use == "training"]
        held_out = [item for item in items if item.use == "validation"]
        return cls(_some(trained), _some(held_out))

    @classmethod
    def of_folder(cls, folder: Path, config: TrainingConfig) -> References:
        """All of a folder that nothing was trained on.

        Raises:
            DatasetError: there are none.
        """
        items = TrainingSet.of(scan(folder), config).items
        return cls((), _some(items))


def read_reference(item: Item) -> Tensor:
    """The picture [3, h, w] in uint8, at the size it is trained at.

    Raises:
        DatasetError: it cannot be read.
    """
    return read_image(item.path, item.centred())


def _held_out(paths: Sequence[Path], run: Path, config: TrainingConfig) -> frozenset[Path]:
    """Those of the images that the run held out."""
    share = config.validation.share
    if share in (0, 1) or not paths:
        return frozenset()
    contents = {path: content_digest(path) for path in paths}
    record = RunFolder(run).read_held_out()
    out = by_contents(contents, share, seed=config.run.seed) if record is None else record.held_out
    return frozenset(path for path in paths if contents[path] in out)


def _some(items: Sequence[Item]) -> Sequence[Item]:
    return [items[number * len(items) // MOST] for number in range(MOST)] if len(items) > MOST else items

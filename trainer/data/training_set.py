"""The images of a training, each with its size, repeats and caption, and the batches of every epoch.

Regularization images are images of the class, sampled as often as those of the subject, so that the base model does
not forget the class. Their loss is weighted by `loss.prior_weight`; they lie in the same buckets and batches as the
others, as in kohya's trainer.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

import torch

from advisor.dataset.buckets import Bucketing, Placement, Size, repeats_of_folders
from advisor.dataset.captions import CaptionReader
from advisor.dataset.epoch import matched_repeats
from advisor.dataset.report import Box, DatasetReport, Folder, ImageFile, PictureCrop
from advisor.errors import DatasetError
from advisor.same_place import resolved
from advisor.settings.config import TrainingConfig
from trainer.data.image_files import Crop, content_digest
from trainer.seeds import generator

MOST_SAMPLES = 20_000_000
"""Showings in an epoch, each of which is an entry in a list."""
Use = Literal["training", "regularization", "validation"]
"""What an image is used for."""


@dataclass(frozen=True)
class Item:
    """One image of the training."""

    index: int
    """Its place in the order of paths, which names it in seeds; regularization images come after the others."""
    path: Path
    folder: str
    """The folder's path below the images' root; `.` is the root itself."""
    size: Size
    """Width and height of what is trained of it: the user's crop, where there is one."""
    placement: Placement
    repeats: int
    """0 for images of the validation loss alone."""
    caption: str
    """As it is trained; where one of several lines is drawn each time, all of them."""
    use: Use = "training"
    crop: PictureCrop | None = None
    """The user's crop, made before all else; None: the whole image is trained."""

    @property
    def bucket(self) -> Size:
        """The size it is trained at."""
        return self.placement.bucket

    @property
    def box(self) -> Box | None:
        """The user's crop in the image's own pixels."""
        return None if self.crop is None else self.crop.box

    @property
    def whole_size(self) -> Size:
        """Width and height of the image before the user's crop."""
        return self.size if self.crop is None else self.crop.whole

    def centred(self, *, flip: bool = False) -> Crop:
        """How it is brought to its bucket where crops are not random."""
        return Crop.centred(self.placement, flip=flip, box=self.box)


@dataclass(frozen=True, order=True)
class SampleRef:
    """One sample of an epoch: an image, and which of its repeats."""

    item: int
    """The image's index in `TrainingSet.items`."""
    repeat: int
    """Counted from 0."""


T = TypeVar("T")
BatchRefs = tuple[SampleRef, ...]
"""The samples of one batch; all of one size."""


@dataclass(frozen=True)
class TrainingSet:
    """All images, in the order of their paths."""

    items: tuple[Item, ...]
    measured: tuple[Item, ...] = ()
    """Those that the validation loss is measured on: the ones held out, or all that are trained on."""
    contents: Mapping[str, str] = field(default_factory=dict)
    """The sha256 of files of images and masks by path with forward slashes, as they were read when training began."""

    @classmethod
    def of(
        cls,
        report: DatasetReport,
        config: TrainingConfig,
        *,
        regularization: DatasetReport | None = None,
        held_out: frozenset[Path] = frozenset(),
        contents: Mapping[str, str] | None = None,
    ) -> TrainingSet:
        """The images that a scan found, as the configuration wants them trained.

        Args:
            regularization: the images of the class.
            held_out: those of the report's that are not trained but measured on.
            contents: as the field; what is not in it is read where it is needed.

        Raises:
            DatasetError: there are none, some are in both reports, or they are shown more often than can be listed.
        """
        if not report.image_files:
            raise DatasetError(f"{report.root} holds no pictures that can be used: put the training pictures there")
        items = _of_subject(report, config, held_out)
        subject = tuple(item for item in items if item.use == "training")
        measured = tuple(item for item in items if item.use == "validation")
        if config.validation.share == 1:
            measured = subject
        if regularization is not None:
            _refuse_shared(report, regularization)
            items += _of_class(
                regularization, config, num_samples=sum(item.repeats for item in items), start=len(items)
            )
        found = cls(items, measured, contents or {})
        if found.num_samples > MOST_SAMPLES:
            raise DatasetError(
                f"{report.root}: an epoch would show {found.num_samples:,} pictures, more than {MOST_SAMPLES:,} fit "
                "in no memory: lower dataset.repeats, or the folders' own, and raise schedule.epochs"
            )
        return found

    def content_of(self, path: Path) -> str:
        """The sha256 of the file of an image or mask.

        Raises:
            DatasetError: it was not read yet, and cannot be.
        """
        return self.contents.get(path.as_posix()) or content_digest(path)

    def used_for(self, use: Use) -> tuple[Item, ...]:
        """The images of one use."""
        return tuple(item for item in self.items if item.use == use)

    def loss_weights(self, refs: Sequence[SampleRef], prior_weight: float) -> torch.Tensor:
        """What each sample's loss is multiplied by, [B]."""
        is_prior = [self.items[ref.item].use == "regularization" for ref in refs]
        return torch.tensor([prior_weight if prior else 1.0 for prior in is_prior], dtype=torch.float32)

    @property
    def num_samples(self) -> int:
        """Samples in one epoch, those of regularization images too."""
        return sum(item.repeats for item in self.items)

    def bucket_counts(self) -> Counter[Size]:
        """Samples of each size in one epoch."""
        counts: Counter[Size] = Counter()
        for item in self.items:
            if item.repeats:
                counts[item.bucket] += item.repeats
        return counts

    def batches(self, *, seed: int, epoch: int, batch_size: int) -> tuple[BatchRefs, ...]:
        """The batches of an epoch: every image exactly `repeats` times, in an order that seed and epoch decide.

        Images of a batch have one size; the last batch of each size may be short.
        """
        by_bucket = defaultdict[Size, list[SampleRef]](list)
        for item in self.items:
            by_bucket[item.bucket].extend(SampleRef(item.index, repeat) for repeat in range(item.repeats))
        rng = generator(seed, "order", epoch)
        batches = list[BatchRefs]()
        for bucket in sorted(by_bucket):
            refs = _shuffled(by_bucket[bucket], rng)
            batches.extend(tuple(refs[start : start + batch_size]) for start in range(0, len(refs), batch_size))
        return tuple(_shuffled(batches, rng))


def _shuffled(things: list[T], rng: torch.Generator) -> list[T]:
    return [things[place] for place in torch.randperm(len(things), generator=rng).tolist()]


def _of_subject(report: DatasetReport, config: TrainingConfig, held_out: frozenset[Path]) -> tuple[Item, ...]:
    """The images to learn and those held out to measure on."""
    root = Path(report.root)
    repeats = repeats_of_folders(report.folders, config.dataset)
    items, reader = list[Item](), CaptionReader.of(config)
    for index, (image, placement) in enumerate(_placed(report, config)):
        path, folder = root / image.path, report.folders[image.folder]
        caption = reader.read(_caption_of(image, folder, config.run.trigger))
        size = image.width_px, image.height_px
        use: Use = "validation" if path in held_out else "training"
        often = 0 if path in held_out else repeats[image.folder]
        items.append(Item(index, path, folder.path, size, placement, often, caption, use, image.crop))
    return tuple(items)


def _of_class(report: DatasetReport, config: TrainingConfig, *, num_samples: int, start: int) -> tuple[Item, ...]:
    """The regularization images that are needed, sampled as often as the subject's images together."""
    found = list(_placed(report, config))
    own = [report.folders[image.folder].repeats or 1 for image, _ in found]
    items, reader = list[Item](), CaptionReader(config.dataset.caption_lines)
    for (image, placement), repeats in zip(found, matched_repeats(own, num_samples), strict=True):
        if repeats == 0:
            continue
        path, folder = Path(report.root) / image.path, report.folders[image.folder]
        size, index = (image.width_px, image.height_px), start + len(items)
        caption = reader.read(_caption_of(image, folder, ""))
        items.append(Item(index, path, folder.path, size, placement, repeats, caption, "regularization"))
    return tuple(items)


def _placed(report: DatasetReport, config: TrainingConfig) -> Iterator[tuple[ImageFile, Placement]]:
    """A report's images in the order of their paths, each with its bucket."""
    bucketing, known = Bucketing.of(config.dataset), dict[Size, Placement]()
    for image in sorted(report.image_files, key=lambda one: one.path):
        size = image.width_px, image.height_px
        yield image, known.get(size) or known.setdefault(size, bucketing.place(*size))


def _refuse_shared(report: DatasetReport, regularization: DatasetReport) -> None:
    """Images that are both learned and held against the learning would be neither."""
    subject = {resolved(Path(report.root) / image.path) for image in report.image_files}
    for image in regularization.image_files:
        path = Path(regularization.root) / image.path
        if resolved(path) in subject:
            raise DatasetError(
                f"{path} lies in dataset.images and in dataset.regularization_images: put the regularization "
                "pictures into a folder of their own"
            )


def _caption_of(image: ImageFile, folder: Folder, otherwise: str) -> str:
    """The caption file's text; without one what a folder named `N_concept` says, as kohya has it, else `otherwise`."""
    if image.caption is not None:
        return image.caption
    return folder.concept or otherwise

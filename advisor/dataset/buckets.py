"""What an epoch shows: each folder's repeats, and aspect-ratio buckets, the size that each picture is trained at, by
the method that kohya's trainer uses.

Pictures of one batch must have one size. Each picture gets the training size (bucket) that is nearest to its own
proportions, is scaled until it covers that size, and what stands over is cropped (docs/kohya-formats.md, "Buckets").
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import ceil, floor, sqrt
from pathlib import PurePosixPath

from advisor.dataset.folders import named_path
from advisor.dataset.report import Folder
from advisor.settings.config import DatasetConfig, NamedFolder

Size = tuple[int, int]
"""(width, height) in pixels."""


@dataclass(frozen=True)
class Placement:
    """The bucket of one image, and its size before the crop."""

    bucket: Size
    """The size it is trained at."""
    scaled: Size
    """The size it is scaled to first; nowhere smaller than the bucket."""

    @property
    def cropped_share(self) -> float:
        """The share of the scaled picture that stands over the bucket and is cropped."""
        return 1 - self.bucket[0] * self.bucket[1] / (self.scaled[0] * self.scaled[1])


@dataclass(frozen=True)
class Bucketing:
    """The sizes that pictures may be trained at."""

    resolution_px: int
    step_px: int
    min_px: int
    max_px: int
    upscale: bool
    tolerance: float = 0.0
    """As the setting `dataset.upscale_tolerance`."""

    @classmethod
    def of(cls, dataset: DatasetConfig) -> Bucketing:
        """The bucketing that a configuration asks for."""
        return cls(
            resolution_px=dataset.resolution_px,
            step_px=dataset.bucket_step_px,
            min_px=dataset.min_bucket_px,
            max_px=dataset.max_bucket_px,
            upscale=dataset.bucket_upscale,
            tolerance=dataset.upscale_tolerance,
        )

    def sizes(self) -> tuple[Size, ...]:
        """The fixed sizes, for pictures that may be enlarged: the square, and for each width the tallest there is."""
        area, step = self.resolution_px**2, self.step_px
        square = self.resolution_px // step * step
        found = {(square, square)}
        for width in range(self.min_px, self.max_px + 1, step):
            height = min(self.max_px, area // width // step * step)
            if height >= self.min_px:
                found |= {(width, height), (height, width)}
        return tuple(sorted(found))

    def place(self, width_px: int, height_px: int) -> Placement:
        """The bucket for a picture of this size."""
        if self.upscale:
            return self._place_in_fixed(width_px, height_px)
        usual = self._place_without_enlarging(width_px, height_px)
        if not self.tolerance or width_px * height_px > self.resolution_px**2:
            return usual
        return min([usual, *self._larger(width_px, height_px)], key=lambda one: one.cropped_share)

    def _larger(self, width: int, height: int) -> Iterator[Placement]:
        """Placements in buckets of the next larger sides, as far as the tolerance goes, the least enlarged first."""
        step = self.step_px
        widths, heights = ((side // step * step, ceil(side / step) * step) for side in (width, height))
        for bucket in sorted(product(widths, heights), key=lambda size: size[0] * size[1]):
            needed = max(bucket[0] / width, bucket[1] / height)
            if 1 < needed <= 1 + self.tolerance and 0 < bucket[0] * bucket[1] <= self.resolution_px**2:
                yield Placement(bucket, cover((width, height), bucket))

    def _place_in_fixed(self, width: int, height: int) -> Placement:
        sizes, ratio = self.sizes(), width / height
        bucket = (width, height)
        if bucket not in sizes:
            bucket = min(sizes, key=lambda size: abs(size[0] / size[1] - ratio))
        return Placement(bucket, cover((width, height), bucket))

    def _place_without_enlarging(self, width: int, height: int) -> Placement:
        scaled, step = (width, height), self.step_px
        if width * height > self.resolution_px**2:
            scaled = self._shrunk(width / height)
        bucket = (max(step, scaled[0] // step * step), max(step, scaled[1] // step * step))
        if bucket[0] > scaled[0] or bucket[1] > scaled[1]:
            scaled = cover(scaled, bucket)
        return Placement(bucket, scaled)

    def _shrunk(self, ratio: float) -> Size:
        """The allowed area's size nearest to `ratio`, one side on the step: the side that keeps the ratio better."""
        wide = sqrt(self.resolution_px**2 * ratio)
        width = self._on_step(wide)
        height = self._on_step(self.resolution_px**2 / wide)
        other_height, other_width = self._on_step(width / ratio), self._on_step(height * ratio)
        if abs(width / other_height - ratio) < abs(other_width / height - ratio):
            return width, half_up(width / ratio)
        return half_up(height * ratio), height

    def _on_step(self, length: float) -> int:
        """The multiple of the step below a length, and one step at least: a sliver of a picture has a bucket too."""
        return max(self.step_px, half_up(length) // self.step_px * self.step_px)


def half_up(number: float) -> int:
    """Rounded, with halves going up (Python's `round` takes them to the even number)."""
    return floor(number + 0.5)


def cover(size: Size, bucket: Size) -> Size:
    """`size` scaled in proportion so that it just covers `bucket`."""
    if size[0] / size[1] > bucket[0] / bucket[1]:
        return max(bucket[0], half_up(size[0] * (bucket[1] / size[1]))), bucket[1]
    return bucket[0], max(bucket[1], half_up(size[1] * (bucket[0] / size[0])))


def bucket_counts(
    sizes: Mapping[tuple[int, int, int], int], dataset: DatasetConfig, repeats: tuple[int, ...]
) -> Counter[Size]:
    """Images in each bucket over one epoch, repeats counted.

    Args:
        sizes: pictures by (width, height, folder index), as `DatasetReport.sizes` gives them.
        repeats: by folder index.
    """
    bucketing = Bucketing.of(dataset)
    placed: dict[Size, Size] = {}
    counts: Counter[Size] = Counter()
    for (width, height, folder), number in sizes.items():
        if (width, height) not in placed:
            placed[width, height] = bucketing.place(width, height).bucket
        counts[placed[width, height]] += number * repeats[folder]
    return counts


def batches_per_epoch(counts: Mapping[Size, int], batch_size: int) -> int:
    """Batches of one epoch: each bucket's last one may be short."""
    return sum(ceil(number / batch_size) for number in counts.values())


def num_held_out(num_images: int, share: float) -> int:
    """How many pictures a share of them to hold out asks for: at least one."""
    return max(1, floor(share * num_images + 0.5))


def repeats_of_folders(folders: Iterable[Folder], dataset: DatasetConfig) -> tuple[int, ...]:
    """Repeats of each of these folders, in their order: its own, else those of the nearest one above it that speaks for
    its subfolders, else the data set's."""
    named = {_path_of(folder, dataset): folder for folder in dataset.folders}
    return tuple(_repeats_of(PurePosixPath(folder.path), named, dataset.repeats) for folder in folders)


def _path_of(folder: NamedFolder, dataset: DatasetConfig) -> str:
    """Its path as a report has it; absolute only where folders may lie elsewhere."""
    return named_path(folder.path if dataset.only_folders else folder.path.strip("/\\"))


def _repeats_of(folder: PurePosixPath, named: Mapping[str, NamedFolder], rest: int) -> int:
    for path in (folder, *folder.parents):
        found = named.get(path.as_posix())
        if found is not None and (found.subfolders or path == folder):
            return found.repeats
    return rest

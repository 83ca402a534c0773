"""How OneTrainer makes batches: the sizes that it trains at, and how many pictures of a size fill a batch.

Observed on OneTrainer of August 2026 with mgds 3a6994a.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt

from advisor.dataset.buckets import Size
from advisor.dataset.report import DatasetReport
from advisor.settings.config import TrainingConfig

ASPECTS = (1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0)
"""Longer side over shorter side of its sizes, which have the area of the resolution's square."""
SIZE_STEPS = {"sdxl": 64, "anima": 64, "z_image": 64}
"""By family: sides are rounded to multiples of this."""
USUAL_SIZE_STEP = 8


def bucket_sizes(resolution_px: int, step_px: int) -> tuple[Size, ...]:
    """All sizes, lying down and standing."""
    sides = [(resolution_px * sqrt(aspect), resolution_px / sqrt(aspect)) for aspect in ASPECTS]
    found = {(round(long / step_px) * step_px, round(short / step_px) * step_px) for long, short in sides}
    return tuple(sorted(found | {(short, long) for long, short in found}))


def bucket_of(size: Size, sizes: Iterable[Size]) -> Size:
    """The size whose height over width is nearest to the picture's."""
    return min(sizes, key=lambda one: abs(one[1] / one[0] - size[1] / size[0]))


@dataclass(frozen=True)
class FullBatches:
    """An epoch of OneTrainer: what does not fill a batch of its size is left out of it, other pictures each time."""

    shown: Counter[Size]
    """Pictures of each size, repeats counted."""
    batch_size: int
    num_enlarged: int
    """Pictures smaller than the size that they are trained at."""

    @classmethod
    def of(cls, config: TrainingConfig, images: Iterable[tuple[DatasetReport, tuple[int, ...]]]) -> FullBatches:
        """The batches of these pictures.

        Args:
            images: what a scan found, and the repeats of each of its folders.
        """
        step = SIZE_STEPS.get(config.model.family, USUAL_SIZE_STEP)
        sizes, shown, enlarged = bucket_sizes(config.dataset.resolution_px, step), Counter[Size](), 0
        for report, repeats in images:
            for (width, height, folder), number in report.sizes.items():
                bucket = bucket_of((width, height), sizes)
                shown[bucket] += number * repeats[folder]
                enlarged += number * (width < bucket[0] or height < bucket[1])
        return cls(shown, config.schedule.batch_size, enlarged)

    @property
    def batches(self) -> int:
        """Of an epoch."""
        return sum(number // self.batch_size for number in self.shown.values())

    @property
    def num_left_out(self) -> int:
        """Pictures, repeats counted, that an epoch leaves out."""
        return sum(number % self.batch_size for number in self.shown.values())

    @property
    def never_trained(self) -> tuple[Size, ...]:
        """Sizes of which no batch is ever full."""
        return tuple(sorted(size for size, number in self.shown.items() if number < self.batch_size))

    def steps(self, config: TrainingConfig) -> int:
        """Of the whole training; its accumulation goes on over the ends of epochs."""
        return self.batches * config.schedule.epochs // config.schedule.gradient_accumulation

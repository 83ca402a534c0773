"""The sizes that musubi-tuner trains pictures at: buckets of the resolution's area, whatever the limits are with us.

Observed on musubi-tuner of June 2026: `BucketSelector`.
"""

from __future__ import annotations

from collections import Counter

from advisor.dataset.buckets import Size
from advisor.dataset.report import DatasetReport
from templates.musubi.words import SIZE_STEP_PX


def bucket_sizes(resolution_px: int) -> tuple[Size, ...]:
    """All sizes, from half of the resolution's side on, lying down and standing."""
    area, step = resolution_px**2, SIZE_STEP_PX
    narrow = range(_cut(resolution_px // 2), resolution_px + step, step)
    found = {(side, _cut(area // side)) for side in narrow if side}
    return tuple(sorted(found | {(height, width) for width, height in found}))


def bucket_of(size: Size, resolution_px: int, *, enlarges: bool) -> Size:
    """The size that a picture is trained at.

    Args:
        enlarges: small pictures too are brought to one of the sizes; else each has its own.
    """
    width, height = size
    if not enlarges and width * height <= resolution_px**2:
        return _cut(width), _cut(height)
    return min(bucket_sizes(resolution_px), key=lambda one: abs(one[0] / one[1] - width / height))


def trained_sizes(report: DatasetReport, resolution_px: int, *, enlarges: bool) -> Counter[Size]:
    """How many pictures are trained at which size."""
    found = Counter[Size]()
    for (width, height, _), number in report.sizes.items():
        found[bucket_of((width, height), resolution_px, enlarges=enlarges)] += number
    return found


def _cut(side: int) -> int:
    return side // SIZE_STEP_PX * SIZE_STEP_PX

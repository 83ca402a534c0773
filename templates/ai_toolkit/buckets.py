"""The sizes that ai-toolkit trains pictures at: each its own, shrunk to the resolution's area, never enlarged.

Observed on ai-toolkit of August 2026.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import product
from math import ceil, floor, sqrt

from advisor.dataset.buckets import Size
from advisor.dataset.report import DatasetReport


def bucket_of(size: Size, resolution_px: int, step_px: int) -> Size:
    """The size on the step, within the resolution's area, whose area is nearest to what the picture may have."""
    area, most = size[0] * size[1], resolution_px**2
    wanted = min(area, most)
    width, height = (side * sqrt(wanted / area) / step_px for side in size)
    near = product((floor(width), ceil(width)), (floor(height), ceil(height)))
    sizes = [(across * step_px, down * step_px) for across, down in near if across and down]
    within = [one for one in sizes if one[0] * one[1] <= most]
    smallest = (max(1, floor(width)) * step_px, max(1, floor(height)) * step_px)
    return min(within or [smallest], key=lambda one: abs(one[0] * one[1] - wanted))


def trained_sizes(reports: Iterable[DatasetReport], resolution_px: int, step_px: int) -> Counter[Size]:
    """How many pictures are trained at which size."""
    found = Counter[Size]()
    for report in reports:
        for (width, height, _), number in report.sizes.items():
            found[bucket_of((width, height), resolution_px, step_px)] += number
    return found

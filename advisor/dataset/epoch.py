"""What an epoch shows of a data set: images of each training size, repeats and regularization images counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import floor

from advisor.dataset.buckets import Bucketing, Size, bucket_counts, num_held_out, repeats_of_folders
from advisor.dataset.report import DatasetReport
from advisor.settings.config import TrainingConfig


def epoch_sizes(
    report: DatasetReport, config: TrainingConfig, regularization: DatasetReport | None = None
) -> Counter[Size]:
    """Images of each training size in one epoch, as the trainer counts them.

    Which images are held out only their contents tell: here each size gives its share of them.
    """
    counts = bucket_counts(report.sizes, config.dataset, repeats_of_folders(report.folders, config.dataset))
    number, share = report.num_images, config.validation.share
    if 0 < share < 1 and number > 1:
        kept = 1 - min(number - 1, num_held_out(number, share)) / number
        counts = Counter({size: max(1, floor(count * kept + 0.5)) for size, count in counts.items()})
    if regularization is not None:
        counts += _regularization_sizes(regularization, config, sum(counts.values()))
    return counts


def _regularization_sizes(report: DatasetReport, config: TrainingConfig, wanted: int) -> Counter[Size]:
    bucketing, counts = Bucketing.of(config.dataset), Counter[Size]()
    images = sorted(report.image_files, key=lambda one: one.path)
    own = [report.folders[image.folder].repeats or 1 for image in images]
    for image, repeats in zip(images, matched_repeats(own, wanted), strict=True):
        if repeats:
            counts[bucketing.place(image.width_px, image.height_px).bucket] += repeats
    return counts


def matched_repeats(own: Sequence[int], wanted: int) -> tuple[int, ...]:
    """Repeats of regularization images that make `wanted` samples an epoch, by kohya's rule.

    In order, each as often as its folder says until there are enough (one folder's repeats may go a little beyond);
    where all together are too few, each once more in turn.

    Args:
        own: repeats by their folders' names.
        wanted: samples of the subject's images in an epoch.
    """
    repeats, total = [0] * len(own), 0
    for place, number in enumerate(own):
        if total >= wanted:
            break
        repeats[place] = number
        total += number
    if own and total < wanted:
        each, rest = divmod(wanted - total, len(own))
        repeats = [number + each + (1 if place < rest else 0) for place, number in enumerate(repeats)]
    return tuple(repeats)

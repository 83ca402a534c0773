"""Warnings about buckets and batch size: pictures of a batch have one size, so the last batch of each bucket may be
smaller than asked. None is dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from advisor.dataset.buckets import Size, batches_per_epoch
from advisor.plan import PlanWarning
from advisor.units import counted, named

BUCKETS_NAMED = 3
"""So many small buckets are named; the rest is counted."""

SHORT_SHARE = 0.25
"""Of an epoch's batches; where more are short, the batch is no longer what was asked for."""


def bucket_warnings(counts: Mapping[Size, int], batch_size: int) -> Iterator[PlanWarning]:
    """What the user should hear of the batches of an epoch.

    Args:
        counts: showings in each bucket.
    """
    small = sorted((number, size) for size, number in counts.items() if number < batch_size)
    short = sum(1 for number in counts.values() if number % batch_size)
    total = batches_per_epoch(counts, batch_size)
    share = (
        f"{short:,} of {total:,} {'batch' if total == 1 else 'batches'} an epoch {'is' if short == 1 else 'are'} short"
    )
    if small:
        shown = named((f"{width}x{height} ({number})" for number, (width, height) in small), BUCKETS_NAMED)
        which = f"buckets with fewer pictures than a batch of {batch_size}: {shown}"
        mend = "crop such pictures alike, give more repeats, or take a smaller batch"
        yield PlanWarning("batch_larger_than_bucket", f"{which}; {share}, none is left out: {mend}")
    elif short > SHORT_SHARE * total:
        fewest = min(number % batch_size for number in counts.values() if number % batch_size)
        fit = _fitting(counts, batch_size)
        mend = f"a batch of {fit} would fill all" if fit > 1 else "repeats that are a multiple of the batch fill all"
        yield PlanWarning(
            "short_batches", f"{share}, the smallest of {counted(fewest, 'picture')} instead of {batch_size}: {mend}"
        )


def _fitting(counts: Mapping[Size, int], batch_size: int) -> int:
    """The largest batch, up to the wanted one, that every bucket fills."""
    return next(size for size in range(batch_size, 0, -1) if not any(number % size for number in counts.values()))

"""Which pictures of an optimizer step each of several processes computes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise


def share_of(sizes: Sequence[int], rank: int, world_size: int) -> tuple[tuple[int, slice], ...]:
    """The pictures of a step that a process takes, as (number of the batch, rows of it), none of them empty.

    All pictures of the step in a row are cut into `world_size` pieces whose sizes differ by one at most. So a batch is
    split, and where a step has several batches (gradient accumulation), whole ones are dealt out as far as that goes.

    Args:
        sizes: pictures of each batch of the step.
        rank: the process, from 0.
    """
    total = sum(sizes)
    first, last = total * rank // world_size, total * (rank + 1) // world_size
    found = list[tuple[int, slice]]()
    for number, (start, stop) in enumerate(pairwise(accumulate(sizes, initial=0))):
        rows = slice(max(first, start) - start, min(last, stop) - start)
        if rows.start < rows.stop:
            found.append((number, rows))
    return tuple(found)


def most_at_once(sizes: Sequence[int], world_size: int) -> int:
    """The most pictures of one batch that any of the processes computes at once."""
    shares = [share_of(sizes, rank, world_size) for rank in range(world_size)]
    return max((rows.stop - rows.start for share in shares for _, rows in share), default=0)

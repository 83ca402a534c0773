"""What an export says of the sizes that another trainer trains pictures at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from advisor.dataset.buckets import Size
from advisor.units import named

MOST_NAMED = 4


def size_notes(trainer: str, theirs: Iterable[Size], ours: Iterable[Size]) -> Iterator[str]:
    """A sentence where the sizes are others than ours."""
    found, wanted = set(theirs), set(ours)
    if found != wanted:
        yield f"Training sizes are {trainer}'s own: {named_sizes(found)} instead of {named_sizes(wanted)}."


def named_sizes(sizes: Iterable[Size]) -> str:
    """As `512x768`; of many the first."""
    return named((f"{width}x{height}" for width, height in sorted(sizes)), MOST_NAMED)

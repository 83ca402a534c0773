from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.estimate.shares import most_at_once, share_of


@pytest.mark.parametrize(
    ("sizes", "world_size", "shares"),
    [
        ([4], 1, [[(0, 0, 4)]]),
        ([4], 2, [[(0, 0, 2)], [(0, 2, 4)]]),
        ([4], 3, [[(0, 0, 1)], [(0, 1, 2)], [(0, 2, 4)]]),
        ([1, 1, 1, 1], 2, [[(0, 0, 1), (1, 0, 1)], [(2, 0, 1), (3, 0, 1)]]),
        ([2, 2], 3, [[(0, 0, 1)], [(0, 1, 2)], [(1, 0, 2)]]),
        ([2, 1], 2, [[(0, 0, 1)], [(0, 1, 2), (1, 0, 1)]]),
        ([1], 2, [[], [(0, 0, 1)]]),
    ],
)
def test_batches_are_split_and_whole_ones_dealt_out(
    sizes: list[int], world_size: int, shares: list[list[tuple[int, int, int]]]
) -> None:
    found = [share_of(sizes, rank, world_size) for rank in range(world_size)]

    assert [[(number, rows.start, rows.stop) for number, rows in share] for share in found] == shares


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(1, 12))
def test_each_picture_is_in_exactly_one_share_and_shares_differ_by_one_at_most(
    sizes: list[int], world_size: int
) -> None:
    shares = [share_of(sizes, rank, world_size) for rank in range(world_size)]

    rows = [(number, row) for share in shares for number, part in share for row in range(part.start, part.stop)]
    assert rows == [(number, row) for number, size in enumerate(sizes) for row in range(size)]
    counts = [sum(part.stop - part.start for _, part in share) for share in shares]
    assert max(counts) - min(counts) <= 1
    assert most_at_once(sizes, world_size) <= max(sizes)

from __future__ import annotations

import pytest

from advisor.estimate.vae_slices import OVERLAP_PX, computed_px, slice_px


@pytest.mark.parametrize(
    ("length", "slices", "each"), [(1024, 1, 1024), (1024, 2, 576), (1024, 4, 352), (832, 3, 368), (128, 4, 128)]
)
def test_slices_have_equal_shares_and_what_they_overlap(length: int, slices: int, each: int) -> None:
    assert slice_px(length, slices, 8) == each


def test_what_slices_overlap_is_computed_twice() -> None:
    assert [computed_px(1024, slices, 8) for slices in (1, 2, 4)] == [1024, 1152, 1408]
    assert computed_px(128, 4, 8) == 128


@pytest.mark.parametrize("slices", [2, 3, 5, 8, 64])
def test_neighbours_overlap_by_that_much_at_least(slices: int) -> None:
    each = slice_px(1024, slices, 8)

    assert (1024 - each) / (slices - 1) <= each - OVERLAP_PX

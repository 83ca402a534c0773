from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.dataset.epoch import matched_repeats


@pytest.mark.parametrize(
    ("own", "wanted", "repeats"),
    [
        ((1, 1, 1), 3, (1, 1, 1)),
        ((1, 1, 1), 2, (1, 1, 0)),
        ((1, 1, 1), 7, (3, 2, 2)),
        ((3, 3, 3), 4, (3, 3, 0)),
        ((3, 1), 6, (4, 2)),
        ((1,), 0, (0,)),
        ((), 5, ()),
    ],
)
def test_repeats_follow_kohyas_rule(own: tuple[int, ...], wanted: int, repeats: tuple[int, ...]) -> None:
    assert matched_repeats(own, wanted) == repeats


@given(st.lists(st.integers(1, 5), min_size=1, max_size=20), st.integers(0, 200))
def test_there_are_as_many_samples_as_wanted_or_one_pictures_repeats_more(own: list[int], wanted: int) -> None:
    assert wanted <= sum(matched_repeats(own, wanted)) < wanted + max(own)

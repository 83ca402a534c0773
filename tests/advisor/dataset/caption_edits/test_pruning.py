from __future__ import annotations

import pytest

from advisor.dataset.caption_edits.caption_set import CaptionSet
from advisor.dataset.caption_edits.pruning import prunable_tags, pruning
from advisor.errors import DatasetError
from tests.support.factories import make_dataset


def test_tags_are_counted_in_the_lines_that_are_trained() -> None:
    report = make_dataset(10, captions=["mira, red hair, hat\nmira, red hair, rain"])

    assert prunable_tags(CaptionSet(report, "mira", "first")) == {"red hair": 10, "hat": 10}
    assert prunable_tags(CaptionSet(report, "mira", "random")) == {"red hair": 10, "hat": 10, "rain": 10}


def test_tags_end_at_the_mark_that_keeps_them_in_place() -> None:
    report = make_dataset(10, captions=["mira ||| red hair, hat", "mira ||| red hair, rain"])

    assert prunable_tags(CaptionSet(report, "mira", mark="|||")) == {"red hair": 10}


def test_a_word_in_front_of_most_captions_is_taken_for_the_trigger() -> None:
    assert prunable_tags(CaptionSet(make_dataset(10, captions=["mira, red_hair, 1girl"]))) == {"red hair": 10}


@pytest.mark.parametrize(
    ("captions", "told"),
    [
        (["A long walk through the rain, at night."] * 10, "these captions are sentences"),
        (["mira, hat"] * 7, "of 7 captions no share means much"),
        (["mira, hat", "mira, rain"] * 5, "there is nothing to prune"),
    ],
)
def test_where_nothing_is_worth_pruning_it_is_told_why(captions: list[str], told: str) -> None:
    with pytest.raises(DatasetError, match=told):
        pruning(CaptionSet(make_dataset(len(captions), captions=captions), "mira"))

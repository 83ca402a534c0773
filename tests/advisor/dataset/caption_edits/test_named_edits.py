from __future__ import annotations

from collections.abc import Callable

import pytest

from advisor.dataset.caption_edits.caption_set import CaptionSet
from advisor.dataset.caption_edits.named_edits import NamedEdit, adding, putting_first, removing, renaming, replacing
from advisor.dataset.caption_edits.near_tags import tag_not_found
from advisor.errors import LoraError
from tests.support.factories import make_dataset


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: adding([" , "]), "which tag shall be added"),
        (lambda: adding(["hat"], front=True, after="mira"), "two places"),
        (lambda: removing([]), "which tag shall be removed"),
        (lambda: removing(["hat", "**"]), "fits every tag"),
        (lambda: renaming("*", "hat"), "rename takes the tag"),
        (lambda: renaming("hat", ","), "rename takes the tag"),
        (lambda: putting_first("", trigger=""), "no trigger word"),
        (lambda: replacing(" ", "x"), "replace takes a text"),
    ],
)
def test_what_makes_no_sense_is_told(make: Callable[[], NamedEdit], message: str) -> None:
    with pytest.raises(LoraError, match=message):
        make()


def test_a_text_with_commas_is_several_tags() -> None:
    assert adding(["hat, bow", "smile"]).words == ("add", "hat", "bow", "smile")
    assert removing(["hat, bow"]).looks_for == ("hat", "bow")


def test_a_line_break_in_what_is_written_becomes_a_blank() -> None:
    assert renaming("hat", "a\nbow").words == ("rename", "hat", "a bow")


def test_a_tag_that_is_nowhere_is_told_with_those_that_are_spelt_alike() -> None:
    captions = CaptionSet(make_dataset(12, captions=["mira, smile, A walk with an umbrella in the rain"]))

    assert tag_not_found("smlie", captions) == "no caption has 'smlie' as a tag of its own; 'smile' is in 12"
    assert "it stands within 'A walk with an umbrella in the rain', where `replace`" in tag_not_found(
        "umbrella", captions
    )
    assert "`loracle captions RUN tags` lists all tags" in tag_not_found("dragon", captions)

from __future__ import annotations

from dataclasses import replace

import pytest

from advisor.dataset.caption_edits.caption_set import CaptionSet
from advisor.dataset.caption_edits.overview import CaptionOverview
from advisor.dataset.caption_edits.selection import Selection, is_named
from advisor.dataset.report import Problem
from advisor.errors import DatasetError
from tests.support.factories import make_dataset

CAPTIONS = CaptionSet(make_dataset(4, captions=["mira, hat", "mira, long_hair", None, "mira, hat, smile"]), "mira")


def chosen(**how: object) -> list[str]:
    return [image.path for image in Selection(**how).chosen(CAPTIONS)]  # type: ignore[arg-type]


def test_pictures_are_chosen_by_path_or_name() -> None:
    assert is_named("front/a b [1].png", "a b [1].png")
    assert is_named("front/001.png", "front/*")
    assert is_named("front/001.png", "00?.png")
    assert is_named("front/001.png", "front\\001.png")
    assert not is_named("front/001.png", "back/*")
    assert not is_named("front/001.png", "1.png")


def test_any_pattern_will_do_and_each_must_fit_something() -> None:
    assert chosen(only=("00000.png", "*3.png")) == ["00000.png", "00003.png"]
    with pytest.raises(DatasetError, match=r"no picture is called '0000\.png': did you mean 0000"):
        chosen(only=("00003.png", "0000.png"))


def test_pictures_are_chosen_by_their_tags() -> None:
    assert chosen(having=("hat",)) == ["00000.png", "00003.png"]
    assert chosen(having=("hat", "smile")) == ["00003.png"]
    assert chosen(having=("mira",), lacking=("hat",)) == ["00001.png"]
    assert chosen(having=("long*",)) == ["00001.png"]


def test_pictures_without_a_caption_are_chosen() -> None:
    assert chosen(without_caption=True) == ["00002.png"]
    assert chosen(lacking=("hat",)) == ["00001.png", "00002.png"]


def test_a_caption_that_cannot_be_read_is_there() -> None:
    problem = Problem("00002.txt", "caption_encoding", "it looks like Shift-JIS")
    captions = CaptionSet(replace(CAPTIONS.report, problems=(problem,)), "mira")
    found = CaptionOverview.of(captions)

    assert Selection(without_caption=True).chosen(captions) == ()
    assert (found.num_without, found.num_unread) == (0, 1)
    assert (CaptionOverview.of(CAPTIONS).num_without, CaptionOverview.of(CAPTIONS).num_unread) == (1, 0)


def test_without_a_condition_all_are_chosen() -> None:
    assert not Selection()
    assert len(chosen()) == 4

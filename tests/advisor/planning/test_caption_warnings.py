"""Captions: what of them is not trained is told, with the files and the mend."""

from __future__ import annotations

from typing import Any

import pytest

from advisor.dataset.report import Folder
from advisor.planning.caption_warnings import cut_captions
from tests.support.factories import make_plan_for


def message(code: str, **fields: Any) -> str:
    """What the plan says under this code; empty: nothing."""
    return next((one.message for one in make_plan_for(**fields).warnings if one.code == code), "")


def test_a_caption_that_is_cut_is_told_with_its_picture_and_the_mend() -> None:
    captions = ("mira " * 62, "mira, smile")

    told = message("captions_cut", captions=captions, settings={"dataset.max_tokens": 75}, num_images=20)
    assert told == ""
    told = message("captions_cut", captions=("mira " * 91, "mira"), settings={"dataset.max_tokens": 75}, num_images=20)
    assert "10 captions longer than 75 tokens (00000.png: 91, 00002.png: 91, 00004.png: 91 and 7 more)" in told
    assert "set dataset.max_tokens to 150" in told


def test_tokens_of_another_vocabulary_than_the_plan_counts_in_are_told_as_such() -> None:
    config = make_plan_for(captions="mira").config

    (warning,) = cut_captions({"a.png": 90}, config, is_own_count=True)

    assert "1 caption longer than 75 tokens of this base model's own vocabulary (a.png: 90)" in warning.message


def test_beyond_the_longest_there_is_captions_have_to_be_shortened() -> None:
    told = message("captions_cut", captions="mira " * 300)

    assert told.endswith("whose end is not trained: shorten them")


def test_lines_that_are_not_trained_are_told() -> None:
    told = message("caption_lines_lost", captions="mira\nsmile", settings={"dataset.caption_lines": "first"})

    assert "30 captions of several lines (00000.png, 00001.png, 00002.png and 27 more)" in told
    assert "set dataset.caption_lines to joined or random" in told
    assert message("caption_lines_lost", captions="mira\nsmile") == ""


def test_without_captions_the_trigger_stands_in_and_what_it_costs_is_said() -> None:
    told = message("no_captions", captions=None)

    assert "each is trained on 'mira' alone" in told
    assert "no prompt can change them" in told


def test_the_name_of_a_numbered_folder_stands_in_before_the_trigger() -> None:
    told = message("no_captions", captions=None, folders=(Folder("10_red fox", 30, 10, "red fox"),))

    assert "each is trained on 'red fox' alone" in told


def test_pictures_without_a_caption_are_named() -> None:
    told = message("missing_captions", captions=("mira, smile", None, "mira, hat"))

    assert "10 pictures of 30 without a caption (00001.png, 00004.png, 00007.png and 7 more)" in told
    assert "each is trained on 'mira' alone" in told


def test_an_empty_caption_is_no_missing_one() -> None:
    captions = ("mira, smile", "")

    assert message("missing_captions", captions=captions) == ""
    assert "15 captions empty (00001.png, 00003.png" in message("empty_captions", captions=captions)


def test_an_empty_caption_that_the_trigger_is_put_into_is_told_as_a_missing_one() -> None:
    captions, settings = ("mira, smile", "", None), {"dataset.prepend_trigger": True}

    assert message("empty_captions", captions=captions, settings=settings) == ""
    told = message("missing_captions", captions=captions, settings=settings)
    assert "20 pictures of 30 without a caption" in told
    assert "each is trained on 'mira' alone" in told


def test_the_word_that_most_captions_begin_with_may_be_the_trigger() -> None:
    told = message("missing_trigger", captions="mirax, smile", trigger="mia")

    assert "most begin with 'mirax': if that is the word, set run.trigger to it; else dataset.prepend_trigger" in told
    assert "most begin with" not in message("missing_trigger", captions="1girl, smile", trigger="mia")


@pytest.mark.parametrize(("captions", "lacking"), [("damian, smile", 30), ("photo of Mia", 0), ("mia_(cute), hat", 0)])
def test_the_trigger_is_missed_where_it_is_no_word_of_its_own(captions: str, lacking: int) -> None:
    told = message("missing_trigger", captions=captions, trigger="mia")

    assert bool(told) == bool(lacking)
    if lacking:
        assert "30 captions of 30 lack the trigger 'mia'" in told
        assert "dataset.prepend_trigger=true" in told


def test_a_trigger_that_is_put_in_front_is_not_missed() -> None:
    assert message("missing_trigger", captions="smile", settings={"dataset.prepend_trigger": True}) == ""


def test_a_trigger_that_only_some_of_the_lines_hold_is_missed_where_one_is_drawn() -> None:
    captions = "mira at sea\nsmile"

    assert message("missing_trigger", captions=captions) == ""
    assert message("missing_trigger", captions=captions, settings={"dataset.caption_lines": "random"}) != ""

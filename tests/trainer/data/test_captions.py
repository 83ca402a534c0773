from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.dataset.captions import CaptionReader
from tests.support.paths import KOHYA_VECTORS
from trainer.data.captions import CaptionStyle, caption_for, tags_of

VECTORS = json.loads(KOHYA_VECTORS.read_text(encoding="utf-8"))
OURS = {
    "shuffle_caption": "shuffle",
    "keep_tokens": "keep_tokens",
    "keep_tokens_separator": "keep_tokens_separator",
    "caption_tag_dropout_rate": "tag_dropout",
    "caption_dropout_rate": "dropout",
    "enable_wildcard": "wildcards",
}
CASES = [case for case in VECTORS["captions"] if set(case["opts"]) <= set(OURS)]
CAPTION = "tok, 1girl, blue hair, smile"


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(case["opts"]) or "plain")
def test_the_same_dice_give_the_captions_that_kohyas_trainer_gives(case: dict[str, Any]) -> None:
    draws_lines = case["opts"].get("enable_wildcard", False)
    style = CaptionStyle(draws_lines=draws_lines, **{OURS[name]: value for name, value in case["opts"].items()})
    text = CaptionReader("random" if draws_lines else "first").read(case["caption"])

    captions = [caption_for(text, style, Random(seed)) for seed in case["seeds"]]

    assert captions == case["out"]


def test_most_of_kohyas_cases_are_covered() -> None:
    assert len(CASES) == 8


def test_a_separator_leaves_no_trace_even_if_nothing_is_shuffled() -> None:
    style = CaptionStyle(keep_tokens_separator="|||")

    assert caption_for("tok ||| 1girl, smile", style, Random(0)) == "tok, 1girl, smile"


def test_empty_tags_are_left_out_when_tags_are_moved() -> None:
    assert caption_for("tok,, smile, ", CaptionStyle(shuffle=True, keep_tokens=2), Random(0)) == "tok, smile"


def test_of_several_lines_one_is_drawn_each_time() -> None:
    style = CaptionStyle(draws_lines=True)

    assert {caption_for("red hat\nblue hat", style, Random(seed)) for seed in range(20)} == {"red hat", "blue hat"}


def test_doubled_braces_are_braces_and_no_choice() -> None:
    assert caption_for("a {{b|c}} {d}", CaptionStyle(wildcards=True), Random(0)) == "a {b|c} d"


def test_dropout_of_one_leaves_no_caption() -> None:
    assert caption_for(CAPTION, CaptionStyle(dropout=1.0), Random(0)) == ""


@given(
    st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), min_size=1, max_size=12), st.integers(0, 14), st.integers()
)
def test_shuffling_keeps_every_tag_and_the_front_in_place(tags: list[str], keep: int, seed: int) -> None:
    shuffled = tags_of(caption_for(", ".join(tags), CaptionStyle(shuffle=True, keep_tokens=keep), Random(seed)))

    assert shuffled[:keep] == tags[:keep]
    assert sorted(shuffled) == sorted(tags)


def test_only_shuffles_choices_and_tag_dropout_make_captions_change() -> None:
    assert CaptionStyle(dropout=0.1, keep_tokens=3).is_fixed
    assert not CaptionStyle(shuffle=True).is_fixed
    assert not CaptionStyle(draws_lines=True).is_fixed
    assert not CaptionStyle(tag_dropout=0.1).is_fixed
    assert not CaptionStyle(wildcards=True).is_fixed

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.dataset.caption_edits.operations import (
    added,
    deduplicated,
    put_first,
    removed,
    renamed,
    replaced,
    unescaped,
    with_blanks,
)
from advisor.dataset.caption_edits.pieces import Pieces
from advisor.dataset.captions import has_word, tags_of

MARK = "|||"

tags = st.sampled_from(["mira", "1girl", "long_hair", "Smile", "blue eyes", "^_^", "hat", "...", ""])
captions = st.lists(tags, max_size=8).map(", ".join)


def cut(caption: str, mark: str = "") -> Pieces:
    return Pieces.of(caption, mark)


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("mira, 1girl", "mira, 1girl, hat"),
        ("mira, Hat", "mira, Hat"),
        ("mira, 1girl, ", "mira, 1girl, hat"),
        ("", "hat"),
        ("A girl sits in the grass of a park.", "A girl sits in the grass of a park. hat"),
        ("A girl sits in the grass of a park", "A girl sits in the grass of a park, hat"),
        ("mira, smile, ...", "mira, smile, ..., hat"),
    ],
)
def test_a_tag_is_added_at_the_end_where_it_lacks(caption: str, expected: str) -> None:
    assert added(cut(caption), ["hat"]).text == expected


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("mira, 1girl", "mira, hat, 1girl"),
        ("1girl, mira", "hat, 1girl, mira"),
        ("A girl stands.", "hat, A girl stands."),
    ],
)
def test_in_front_is_behind_the_trigger_that_is_first(caption: str, expected: str) -> None:
    assert added(cut(caption), ["hat"], front=True, trigger="mira").text == expected


def test_a_tag_is_added_behind_another_and_nowhere_without_it() -> None:
    assert (
        added(cut("mira, red hair, smile"), ["hat", "bow"], after="red_hair").text == "mira, red hair, hat, bow, smile"
    )
    assert added(cut("mira, smile"), ["hat"], after="red hair").text == "mira, smile"


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("mira, Long_Hair, smile", "mira, smile"),
        ("long hair, mira", "mira"),
        ("mira, long hair", "mira"),
        ("long hair", ""),
        ("very long hair, mira", "very long hair, mira"),
        ("mira,long hair,smile", "mira,smile"),
        ("A girl at the sea, with a hat, long hair.", "A girl at the sea, with a hat"),
    ],
)
def test_only_whole_tags_are_removed_whatever_their_spelling(caption: str, expected: str) -> None:
    assert removed(cut(caption), ["long hair"]).text == expected


def test_a_star_stands_for_any_text() -> None:
    found = removed(cut("mira, red background, simple background, background, backgrounds"), ["*background"])

    assert found.text == "mira, backgrounds"


def test_escaped_brackets_are_no_difference() -> None:
    assert removed(cut(r"mira, saber \(fate\), hat"), ["saber (fate)"]).text == "mira, hat"


def test_a_mark_that_keeps_tags_in_place_is_kept() -> None:
    assert removed(cut("mira, hat ||| smile, bow", MARK), ["hat", "bow"]).text == "mira||| smile"
    assert removed(cut("mira ||| hat ||| bow", MARK), ["hat"]).text == "mira |||||| bow"
    assert added(cut("mira ||| smile", MARK), ["hat"], front=True, trigger="mira").text == "mira , hat||| smile"


@pytest.mark.parametrize(
    ("caption", "old", "new", "expected"),
    [
        ("mira, smlie, hat", "smlie", "smile", "mira, smile, hat"),
        ("mira, smlie, smile", "smlie", "smile", "mira, smile"),
        ("mira, smile, smlie", "smlie", "smile", "mira, smile"),
        ("mira, blue_eyes, blue eyes", "blue eyes", "blue eyes", "mira, blue eyes"),
        ("mira, hat", "hat", "hat", "mira, hat"),
        ("mira, 3ds, handheld", "3ds", "3ds, handheld", "mira, 3ds, handheld"),
        ("mira, red hair, long red hair", "*red hair", "ponytail", "mira, ponytail"),
        (
            "A girl at the sea, wearing a small hat, smlie.",
            "smlie",
            "smile",
            "A girl at the sea, wearing a small hat, smile.",
        ),
    ],
)
def test_a_renamed_tag_stands_once(caption: str, old: str, new: str, expected: str) -> None:
    assert renamed(cut(caption), old, new).text == expected


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("1girl, mira, hat", "mira, 1girl, hat"),
        ("1girl, hat", "mira, 1girl, hat"),
        ("mira, hat", "mira, hat"),
        ("a photo of Mira, hat", "a photo of Mira, hat"),
        ("A girl walks through the rain.", "mira, A girl walks through the rain."),
        ("admiral, hat", "mira, admiral, hat"),
        ("1girl, Mira, hat, mira", "Mira, 1girl, hat"),
        ("", "mira"),
    ],
)
def test_the_trigger_comes_first_in_every_caption(caption: str, expected: str) -> None:
    assert put_first(cut(caption), "mira", everywhere=True).text == expected


def test_another_tag_comes_first_only_where_it_is() -> None:
    assert put_first(cut("mira, hat"), "hat", everywhere=False).text == "hat, mira"
    assert put_first(cut("mira, bow"), "hat", everywhere=False).text == "mira, bow"
    assert put_first(cut("1girl, girl"), "girl", everywhere=False).text == "girl, 1girl"


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A girl, 1girl, girlfriend, schoolgirl", "A woman, 1girl, girlfriend, schoolgirl"),
        ("Girl in the rain", "Woman in the rain"),
        ("boy, hat", "boy, hat"),
    ],
)
def test_a_text_is_replaced_as_a_word(caption: str, expected: str) -> None:
    assert replaced(cut(caption), "girl", "woman").text == expected


def test_a_text_within_words_is_replaced_on_demand() -> None:
    assert replaced(cut("1girl, schoolgirl"), "girl", "boy", within_words=True).text == "1boy, schoolboy"


def test_a_text_that_is_taken_out_leaves_no_gap() -> None:
    assert replaced(cut("a very red hat, blue eyes"), "very", "").text == "a red hat, blue eyes"
    assert replaced(cut("mira, red hat, blue eyes"), "red hat", "").text == "mira, blue eyes"


def test_signs_of_patterns_are_plain_text() -> None:
    assert replaced(cut("a (b) [c] .*"), "(b)", r"\1").text == r"a \1 [c] .*"
    assert replaced(cut("abc"), ".*", "x").text == "abc"


def test_each_tag_is_kept_once_and_empty_ones_go() -> None:
    assert deduplicated(cut("mira, hat,, Hat, long_hair, long hair,")).text == "mira, hat, long_hair"
    assert deduplicated(cut("She sees the very big sea, then the very big sea, then him")).text.count("sea") == 2


def test_faces_and_scores_keep_their_underscores() -> None:
    caption = "long_hair, ^_^, o_o, (o)_(o), score_9_up, source_anime, black_dress_"

    assert with_blanks(cut(caption)).text == "long hair, ^_^, o_o, (o)_(o), score_9_up, source_anime, black dress"


def test_brackets_lose_their_backslash() -> None:
    assert unescaped(cut(r"saber \(fate\), \o/")).text == r"saber (fate), \o/"


@given(captions)
def test_what_is_not_there_changes_nothing(caption: str) -> None:
    pieces = cut(caption)

    assert removed(pieces, ["bow"]) == pieces
    assert renamed(pieces, "bow", "ribbon") == pieces
    assert replaced(pieces, "bow", "ribbon") == pieces
    assert put_first(pieces, "bow", everywhere=False) == pieces
    assert added(pieces, ["ribbon"], after="bow") == pieces


@given(captions, tags.filter(bool))
def test_what_is_removed_is_gone_and_all_else_stays_in_its_order(caption: str, tag: str) -> None:
    left = tags_of(removed(cut(caption), [tag]).text)

    assert list(left) == [one for one in tags_of(caption) if one != tag]


@given(captions)
def test_the_trigger_is_first_and_a_second_time_changes_nothing(caption: str) -> None:
    once = put_first(cut(caption), "mira", everywhere=True)

    assert has_word(tags_of(once.text)[0], "mira")
    assert put_first(once, "mira", everywhere=True) == once
    assert sorted({*tags_of(once.text)} - {"mira"}) == sorted({*tags_of(caption)} - {"mira"})


def test_a_hostile_pattern_and_caption_take_no_time() -> None:
    pieces = cut("a" * 60_000 + ", " + ", ".join(["b"] * 1000))

    assert removed(pieces, ["*a" * 40 + "c"]) == pieces
    assert replaced(pieces, "a" * 30_000 + "c", "x") == pieces

from __future__ import annotations

import pytest

from advisor.tagging.wording import is_face, is_first, worded

FACES = (
    "0_0", "(o)_(o)", "+_+", "+_-", "._.", "<o>_<o>", "<|>_<|>", "=_=", ">_<", "3_3", "6_9", ">_o", "@_@", "^_^", "o_o",
    "u_u", "x_x", "|_|", "||_||",
)  # fmt: skip
"""Those that the taggers' author lists: huggingface.co/spaces/SmilingWolf/wd-tagger."""


@pytest.mark.parametrize("face", FACES)
def test_a_face_keeps_its_mouth(face: str) -> None:
    assert is_face(face)
    assert worded(face) == face


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("long_hair", "long hair"),
        ("hatsune_miku", "hatsune miku"),
        ("hu_tao_(genshin_impact)", "hu tao (genshin impact)"),
        ("4_o'clock", "4 o'clock"),
        ("smile", "smile"),
        (":d", ":d"),
    ],
)
def test_underscores_become_blanks(name: str, text: str) -> None:
    assert worded(name) == text


def test_underscores_stay_and_brackets_are_escaped_where_that_is_wanted() -> None:
    assert worded("hu_tao_(x)", underscores=True) == "hu_tao_(x)"
    assert worded("hu_tao_(x)", escaped=True) == r"hu tao \(x\)"


def test_how_many_are_on_the_picture_comes_first() -> None:
    first = ["1girl", "2girls", "6+girls", "multiple_girls", "1boy", "1other", "3others", "solo", "no_humans"]

    assert all(is_first(tag) for tag in first)
    assert not any(is_first(tag) for tag in ("girl", "solo_focus", "1girl_wearing", "multiple_views", "long_hair"))

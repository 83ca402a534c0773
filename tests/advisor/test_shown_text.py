from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.shown_text import short, visible, visible_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("a\rb\x08\x07\x7f", r"a\rb\x08\x07\x7f"),
        ("\x9b31m", r"\x9b31m"),
        ("cat\u202egnp.exe", r"cat\u202egnp.exe"),
        ("\u2066a\u2069\u200b\u2060\ufeff\xad", r"\u2066a\u2069\u200b\u2060\ufeff\xad"),
        ("a\u2028b", r"a\u2028b"),
        ("\U000e0041", r"\U000e0041"),
        ("\udcff", r"\udcff"),
        ("pass\u200dword", r"pass\u200dword"),
    ],
)
def test_what_steers_or_hides_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == visible_line(text) == shown


@pytest.mark.parametrize("text", ["", "plain", "ä 模型 ру עברית", "\U0001f469\u200d\U0001f4bb", "می\u200cخواهم", "→ …"])
def test_writing_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


def test_our_own_lines_stay_and_a_names_do_not() -> None:
    assert visible("a\n\tb") == "a\n\tb"
    assert visible_line("a\n\tb") == r"a\n\tb"


@given(text=st.text())
def test_nothing_that_steers_is_left(text: str) -> None:
    shown = visible_line(text).replace("\u200c", "").replace("\u200d", "")

    assert not [letter for letter in shown if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")]
    assert not [letter for letter in shown if unicodedata.bidirectional(letter) in ("LRE", "RLE", "LRO", "RLO", "PDF")]
    assert visible_line(shown) == shown


def test_values_are_cut() -> None:
    assert short("a" * 1000) == "'" + "a" * 199 + "..."
    assert short(["\x1b"]) == r"['\x1b']"

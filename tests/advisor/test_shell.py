from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.shell import powershell_quoted, powershell_word, quoted

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)


@given(texts)
def test_a_posix_shell_reads_the_text_back(text: str) -> None:
    assert shlex.split(f"train {quoted(text, windows=False)}") == ["train", text]


@given(texts)
def test_double_quotes_hold_nothing_that_powershell_looks_at(text: str) -> None:
    word = quoted(text, windows=True)

    if word.startswith('"'):
        assert word == f'"{text}"'
        assert not set(text) & set('$`"\u201c\u201d\u201e')
    else:
        assert word == powershell_quoted(text)


@pytest.mark.parametrize(
    ("text", "word"),
    [("Füchse 🦊 (2)", '"Füchse 🦊 (2)"'), (r"C:\my runs\x", r'"C:\my runs\x"'), ("it's $5", "'it''s $5'"),
     ("\u2019$", "'\u2019\u2019$'")],
)  # fmt: skip
def test_words_for_powershell(text: str, word: str) -> None:
    assert quoted(text, windows=True) == word


def test_a_plain_word_needs_no_quotes_in_powershell() -> None:
    assert powershell_word("--config_file") == "--config_file"
    assert powershell_word("my run") == "'my run'"

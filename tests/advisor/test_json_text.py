from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.json_text import Malformed, check_tree, parse_json

trees = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**50), 10**50) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(tree=trees)
def test_what_python_writes_is_read_alike(tree: object) -> None:
    assert parse_json(json.dumps(tree).encode()) == tree
    assert parse_json("\ufeff" + json.dumps(tree, ensure_ascii=False)) == tree


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "it is not JSON: Expecting value at character 0"),
        (b'{"a": 1,}', "it is not JSON"),
        (b'{"a": 1, "b": {"c": 1, "d": 2, "c": 3}}', "it names 'c' twice"),
        (b"[\xff]", "byte 1 of it is not UTF-8"),
        (b"[NaN]", "it holds NaN, which is no JSON number"),
        (b"[-Infinity]", "it holds -Infinity, which is no JSON number"),
        (b"[1e999]", "it holds 1e999, which is larger than any number"),
        (b"[" + b"9" * 5000 + b"]", "it holds a number of 5,000 digits"),
        (b"[0." + b"9" * 5000 + b"]", "it holds a number of 5,002 digits"),
        (b"[" * 200 + b"]" * 200, "it is nested too deeply"),
        (b"[" * 200_000, "it is nested too deeply"),
        (b'{"a":' * 200_000, "it is nested too deeply"),
        (rb'["\ud800"]', r"'\\ud800' in it is not Unicode text"),
        (rb'{"\udfff": 1}', r"'\\udfff' in it is not Unicode text"),
    ],
)
def test_what_json_does_not_have_is_refused_with_the_reason(text: bytes, reason: str) -> None:
    with pytest.raises(Malformed) as error:
        parse_json(text)
    assert str(error.value).startswith(reason.replace("\\\\", "\\"))


def test_pairs_of_halves_are_one_character() -> None:
    assert parse_json(rb'["\ud83d\ude00"]') == ["\N{GRINNING FACE}"]


def test_names_that_stand_twice_can_be_told_instead() -> None:
    doubled: list[str] = []

    assert parse_json(b'{"a": 1, "a": {"b": 1, "b": 2}, "a": 3}', told_twice=doubled.append) == {"a": 3}
    assert doubled == ["b", "a", "a"]


class Counted(str):
    """Counts how often it is compared."""

    comparisons = 0

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Counted.comparisons += 1
        return str(self) == other


def test_the_one_name_of_many_that_stands_twice_is_found_in_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [(Counted(f"k{index % 20_000}"), 0) for index in range(20_001)]
    monkeypatch.setattr("json.loads", lambda _, object_pairs_hook, **__: object_pairs_hook(pairs))

    with pytest.raises(Malformed, match="'k0' twice"):
        parse_json("")
    assert Counted.comparisons < 40_000


def test_the_deepest_tree_that_is_read() -> None:
    assert parse_json(b"[" * 100 + b"]" * 100)
    with pytest.raises(Malformed, match="nested too deeply"):
        parse_json(b"[" * 102 + b"]" * 102)


def test_numbers_that_no_text_can_show_are_refused() -> None:
    with pytest.raises(Malformed, match="more than 100 digits"):
        check_tree({"a": [16**5000]})

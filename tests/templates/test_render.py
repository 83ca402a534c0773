from __future__ import annotations

import json
import tomllib

import pytest
import yaml
from hypothesis import given

from advisor.errors import LoraError
from templates.render import COMMENT_COLUMNS, comment, value
from tests.support.export_strategies import any_text, values


def same(left: object, right: object) -> bool:
    """Equal and of the same types, so that 1, 1.0 and True differ."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and left == right


@given(values)
def test_json_toml_and_yaml_read_every_value_back_equal(found: object) -> None:
    written = value(found)

    assert same(json.loads(written), found)
    assert same(tomllib.loads(f"a = {written}")["a"], found)
    assert same(yaml.safe_load(f"a: {written}")["a"], found)


@pytest.mark.parametrize(
    ("found", "written"),
    [
        (5e-05, "5.0e-05"),
        (1e22, "1.0e+22"),
        (16.0, "16.0"),
        (0.1, "0.1"),
        (True, "true"),
        (7, "7"),
        ("Füchsin 🦊", '"Füchsin 🦊"'),
        ("a\nb\x7f\x85\u2028\u2029\x00", r'"a\nb\u007f\u0085\u2028\u2029\u0000"'),
        ('C:\\new "x"', r'"C:\\new \"x\""'),
        ((1, "a"), '[1, "a"]'),
        ([], "[]"),
    ],
)
def test_a_value_is_written_as_all_three_formats_have_it(found: object, written: str) -> None:
    assert value(found) == written


@pytest.mark.parametrize("found", [float("nan"), float("inf"), -float("inf"), None, {"a": 1}, b"a", 2**63, [1, None]])
def test_what_a_format_lacks_is_refused(found: object) -> None:
    with pytest.raises(LoraError):
        value(found)


def test_half_a_character_is_refused_with_the_mend() -> None:
    with pytest.raises(LoraError, match="rename the file"):
        value("old\udce4name")


@given(any_text)
def test_a_comment_never_breaks_a_file(text: str) -> None:
    written = comment(text)

    assert tomllib.loads(written + "\n") == {}
    assert yaml.safe_load(written) is None
    assert all(line.startswith("#") for line in written.splitlines())


def test_what_hides_or_reorders_text_is_escaped_in_comments() -> None:
    assert comment("16\u202e23 \u200b") == r"# 16\u202e23 \u200b"


def test_a_comment_is_wrapped() -> None:
    assert max(len(line) for line in comment("word " * 100).splitlines()) <= COMMENT_COLUMNS

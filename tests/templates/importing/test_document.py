from __future__ import annotations

import time
from pathlib import Path

import pytest

from advisor.errors import RunError
from templates.importing.document import parse_json, parse_yaml, read_document, without_comments
from tests.support.special_files import KINDS, on_posix, special_file


def refusal(path: Path, text: str) -> str:
    path.write_text(text, "utf-8")
    with pytest.raises(RunError) as error:
        read_document(path)
    assert str(path) in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.json", '{"a": ' + "9" * 5000 + "}", "it holds a number of 5,000 digits"),
        ("a.json", "[" * 5000, "nested too deeply"),
        ("a.json", '{"a":' * 200 + "1" + "}" * 200, "nested too deeply"),
        ("a.json", '{"a": "\\ud800"}', "is not Unicode text"),
        ("a.json", '{"a": 1', "Expecting ',' delimiter: line 1 column 8"),
        ("a.toml", "a = " + "9" * 5000, "it holds a number of thousands of digits"),
        ("a.toml", "a = 0x" + "f" * 5000, "it holds a number of more than 100 digits"),
        ("a.toml", "a = " + "[" * 300 + "]" * 300, "nested too deeply"),
        ("a.toml", ".".join("a" * 2000) + " = 1", "a key in it has too many parts"),
        ("a.yaml", "a: 0x" + "f" * 5000, "it holds a number of more than 100 digits"),
        ("a.yaml", "a: " + "9" * 5000, "digits"),
        ("a.yaml", "[" * 5000, "nested too deeply"),
        ("a.yaml", "[" * 150 + "]" * 150, "nested too deeply"),
    ],
)
def test_what_is_made_to_trip_a_reader_is_refused_with_the_reason(
    tmp_path: Path, name: str, text: str, told: str
) -> None:
    assert told in refusal(tmp_path / name, text)


@on_posix
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["a.json", "a.toml", "a.yaml", "a"])
def test_only_regular_files_are_read(tmp_path: Path, kind: str, name: str) -> None:
    with (
        special_file(tmp_path / name, kind) as path,
        pytest.raises(RunError, match=r"cannot be read: it is a .* and no regular file: check the path"),
    ):
        read_document(path)


def test_a_file_larger_than_any_configuration_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.json").open("wb") as file:
        file.truncate(2**40)

    with pytest.raises(RunError, match="has more than 1024 KiB, as no configuration has"):
        read_document(tmp_path / "a.json")


def test_names_that_stand_twice_are_told_of_and_the_last_counts() -> None:
    assert parse_json('{"a": 1, "b": 2, "a": 3}').doubled == ("a",)
    assert parse_json('{"a": 1, "b": 2, "a": 3, }').tree == {"a": 3, "b": 2}
    assert parse_yaml("a: 1\nb: 2\na: 3\n").doubled == ("a",)
    many = "".join(f"k{number}: 1\n" for number in range(2000))
    assert parse_yaml(f"{many}k7: 2\n").doubled == ("k7",)


def test_numbers_that_python_writes_are_read() -> None:
    assert parse_json('{"a": Infinity, "b": 1e999, "c": -Infinity}').tree == {
        "a": float("inf"), "b": float("inf"), "c": float("-inf"),
    }  # fmt: skip


def test_comments_after_indents_and_between_empty_lines_are_taken_out() -> None:
    assert parse_json(
        '{\n\n  # one\n\n\t# two\n"a": 1, # no comment of ours\n}'.replace(", # no comment of ours", "")
    ).tree == {"a": 1}


@pytest.mark.parametrize(
    "text",
    [
        "{" + "\n" * 500_000 + "x",
        "{" + ",\n\n" * 200_000 + "x",
        "{" + "," + " " * 500_000 + "x",
        "{" + " \n" * 300_000 + "#",
        "{" + "/*" * 300_000,
        "{" + '"' * 500_000,
        "{" + '"\\' * 300_000,
        "{" + ",".join(f'"k{number}":0' for number in range(60_000)) + ',"k1":0}',
    ],
    ids=lambda text: repr(text[:6]),
)
def test_half_a_megabyte_made_to_be_slow_is_read_or_refused_in_a_moment(text: str) -> None:
    began = time.process_time()
    try:
        parse_json(text)
    except ValueError:
        without_comments(text)
    assert time.process_time() - began < 5

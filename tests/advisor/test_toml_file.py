from __future__ import annotations

from pathlib import Path

import pytest

from advisor.errors import RunError
from advisor.toml_file import parse_toml, read_toml
from tests.support.special_files import KINDS, on_posix, special_file


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a = " + "9" * 5000, "is not valid TOML: it holds a number of thousands of digits"),
        ("a = 0x" + "f" * 5000, "is not valid TOML: it holds a number of more than 100 digits"),
        (".".join("a" * 2000) + " = 1", "is not valid TOML: a key in it has too many parts"),
        ("a = " + "[" * 5000, "is nested too deeply to be a preset"),
        ("a = " + "[" * 300 + "]" * 300, "is not valid TOML: it is nested too deeply"),
        ("a = 1\na = 2", "is not valid TOML: Cannot overwrite a value"),
    ],
)
def test_what_is_made_to_trip_the_reader_is_refused_with_the_reason(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "a.toml").write_text(text)

    with pytest.raises(RunError) as error:
        read_toml(tmp_path / "a.toml", kind="preset", most_bytes=100_000)
    assert str(error.value).startswith(f"{tmp_path / 'a.toml'} {reason}")


@on_posix
@pytest.mark.parametrize("kind", KINDS)
def test_only_regular_files_are_read(tmp_path: Path, kind: str) -> None:
    with (
        special_file(tmp_path / "a.toml", kind) as path,
        pytest.raises(RunError, match=r"the preset .* cannot be read: it is a .* and no regular file"),
    ):
        read_toml(path, kind="preset", most_bytes=100_000)


def test_larger_files_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("a = 1\n" * 10)

    with pytest.raises(RunError, match="larger than any preset: is it the right file"):
        read_toml(tmp_path / "a.toml", kind="preset", most_bytes=10)


def test_keys_of_some_parts_are_read() -> None:
    assert parse_toml("a.b.'c d'.\"e\" = 1") == {"a": {"b": {"c d": {"e": 1}}}}

"""Reading a TOML file that a person may have edited, or a stranger made."""

from __future__ import annotations

import errno
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from advisor.errors import ConfigError, ConfigErrors, RunError
from advisor.files import read_bounded
from advisor.json_text import Malformed, check_tree

_LONG_KEY = re.compile(r"""(?<![\w"'-])(?:[\w"'-]++[ \t]*+\.[ \t]*+){64}""")
"""A key of so many parts: the reader's time grows with their square."""

_PART = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')"""
_TABLE = re.compile(rf"[ \t]*+\[{{1,2}}[ \t]*+({_PART}(?:[ \t]*+\.[ \t]*+{_PART})*+)[ \t]*+\]")
_KEY = re.compile(rf"[ \t]*+({_PART}(?:[ \t]*+\.[ \t]*+{_PART})*+)[ \t]*+=")
"""What the line of a table, and of a key and its value, begins with."""
_DOT = re.compile(r"\.")
_LONG_QUOTES = re.compile("\"\"\"|'''")


def parse_toml(text: str) -> dict[str, Any]:
    """The tree that a TOML text stands for, in a time that grows with its length alone.

    Raises:
        ValueError: it is no TOML, or has a key of more parts, or a number of more digits, than any honest one.
        RecursionError: it is nested too deeply.
    """
    if _LONG_KEY.search(text):
        raise Malformed("a key in it has too many parts")
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except ValueError:
        raise Malformed("it holds a number of thousands of digits") from None
    check_tree(tree)
    return tree


def read_toml(path: Path, *, kind: str, most_bytes: int) -> dict[str, Any]:
    """The tree in a TOML file, with or without a byte order mark.

    Args:
        kind: what it is to be, for messages, e.g. `preset`.
        most_bytes: no honest one is larger.

    Raises:
        RunError: it cannot be read, is too large, or is no TOML.
    """
    try:
        return parse_toml(read_bounded(path, most_bytes).decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise RunError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8 in your editor") from None
    except ValueError as error:
        raise RunError(f"{path} is not valid TOML: {error}") from None
    except RecursionError:
        raise RunError(f"{path} is nested too deeply to be a {kind}") from None
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise RunError(f"{path} is larger than any {kind}: is it the right file?") from None
        raise RunError(f"the {kind} {path} cannot be read: {error.strerror}: check the path") from None


def with_lines(errors: ConfigErrors, path: Path, *, most_bytes: int, below: str = "") -> ConfigErrors:
    """The same errors with the file's name, each with its line where what it is about is found there.

    Args:
        below: the table that the errors' paths begin in, e.g. `settings`.
    """
    try:
        lines = _key_lines(read_bounded(path, most_bytes).decode("utf-8-sig"))
    except (OSError, ValueError):  # changed since it was read
        lines = {}
    placed = list[ConfigError]()
    for error in errors.errors:
        number = _line_of(lines, f"{below}.{error.path}", error.path)
        placed.append(error if number is None else error.at_line(number))
    return ConfigErrors(placed, where=str(path))


def _key_lines(text: str) -> dict[str, int]:
    """The line, counted from 1, at which each key or table first stands, by its dotted path without quotes.

    Left out is what stands in inline tables, in arrays and in texts of several lines.
    """
    found, table, inside = dict[str, int](), "", ""
    for number, line in enumerate(text.split("\n"), start=1):
        if not inside and (head := _TABLE.match(line)):
            table = _plain(head[1])
            found.setdefault(table, number)
        elif not inside and (key := _KEY.match(line)):
            path = ".".join(filter(None, (table, _plain(key[1]))))
            for end in (*(dot.start() for dot in _DOT.finditer(path, len(table) + 1)), len(path)):
                found.setdefault(path[:end], number)
        for quotes in _LONG_QUOTES.findall(line):
            inside = "" if quotes == inside else inside or quotes
    return found


def _line_of(lines: Mapping[str, int], *paths: str) -> int | None:
    """The line of the first path that stands in the text, else of what the last of them is in; None where none does."""
    path = next((path for path in paths if path in lines), paths[-1])
    while path and path not in lines:
        path = path.rpartition(".")[0]
    return lines.get(path)


def _plain(key: str) -> str:
    """A dotted key without quotes and blanks."""
    return ".".join(part.strip().strip("\"'") for part in key.split("."))

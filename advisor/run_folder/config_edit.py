"""Changing one number in a `loracle.toml`: all else in it, comments and edits included, stays as it is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from advisor.errors import RunError
from advisor.files import read_file, write_atomically
from advisor.run_folder.config_file import MOST_CONFIG_BYTES
from advisor.toml_file import parse_toml

MOST_TRIES = 32
"""Lines that look like the setting and may be text of another, of which each is tried by reading the whole file."""

BYTE_ORDER_MARK = "\ufeff"


def write_number(path: Path, group: str, name: str, value: int) -> None:
    """Set one setting of a configuration file, as an edit by hand would.

    Raises:
        RunError: the file cannot be read or written, or is written in a way in which the setting is not found.
    """
    text = read_file(path, kind="configuration", most_bytes=MOST_CONFIG_BYTES).decode("utf-8", "surrogateescape")
    edited = with_number(text, group, name, value)
    if edited is None:
        raise RunError(f"{path} is written in a way that Loracle does not edit: set {group}.{name} to {value} in it")
    if edited != text:
        write_atomically(Path(os.path.realpath(path)), edited)  # a link stays one


def with_number(text: str, group: str, name: str, value: int) -> str | None:
    """The TOML text with one number changed or added; None where no edit of one line does that and nothing else."""
    if text.startswith(BYTE_ORDER_MARK):
        edited = with_number(text.removeprefix(BYTE_ORDER_MARK), group, name, value)
        return None if edited is None else BYTE_ORDER_MARK + edited
    try:
        wanted = parse_toml(text)
        wanted[group] = {**wanted.get(group, {}), name: value}
    except (ValueError, RecursionError, TypeError):
        return None
    edits = islice(_edits(text, group, name, value), MOST_TRIES)
    return next((edit for edit in edits if _means(edit, wanted)), None)


def _edits(text: str, group: str, name: str, value: int) -> Iterator[str]:
    """What may be the wanted text: a line that looks like the setting's changed, or one added to its table."""
    for found in re.finditer(rf"(?m)^([ \t]*(?:{group}[ \t]*\.[ \t]*)?{name}[ \t]*=[ \t]*)[+\d_]+", text):
        yield f"{text[: found.start()]}{found[1]}{value}{text[found.end() :]}"
    for found in re.finditer(rf"(?m)^[ \t]*\[[ \t]*{group}[ \t]*\][^\r\n]*(\r?\n|\Z)", text):
        yield f"{text[: found.end()]}{name} = {value}\n{text[found.end() :]}"
    yield f"{text.rstrip()}\n\n[{group}]\n{name} = {value}\n"


def _means(text: str, wanted: dict[str, object]) -> bool:
    try:
        return parse_toml(text) == wanted
    except (ValueError, RecursionError):
        return False

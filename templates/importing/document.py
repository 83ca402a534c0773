"""Reading another trainer's file as plain values: JSON (with comments too), TOML or YAML; oddities are noted."""

from __future__ import annotations

import errno
import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advisor import toml_file
from advisor.errors import RunError
from advisor.files import read_bounded
from advisor.json_text import Malformed, TooDeep, check_tree
from advisor.json_text import parse_json as parse

MOST_BYTES = 1024 * 1024
"""No honest JSON or TOML configuration is larger."""
MOST_YAML_BYTES = 64 * 1024
"""The YAML reader is slow, and a job is a few KB."""

MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
"""First bytes of texts that are not UTF-8."""


@dataclass(frozen=True)
class Document:
    """A file's contents."""

    tree: Any
    notes: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()
    """Keys that stand twice; the last counts."""


def read_text(path: Path, most_bytes: int = MOST_BYTES) -> tuple[str, tuple[str, ...]]:
    """A file's text, and what was odd about it.

    Raises:
        RunError: it cannot be read, or is larger than any configuration.
    """
    try:
        data = read_bounded(path, most_bytes)
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise RunError(
                f"{path} has more than {most_bytes // 1024} KiB, as no configuration has: name the right file"
            ) from None
        raise RunError(f"{path} cannot be read: {error.strerror or error}: check the path") from None
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace").lstrip("\ufeff"), (f"the file is {encoding.upper()}, not UTF-8",)
    try:
        return data.decode("utf-8-sig"), ()
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace"), ("the file is not UTF-8 and was read as Windows-1252",)


def read_document(path: Path) -> Document:
    """A file's contents as plain values; the format follows from the ending, else from the first letter.

    Raises:
        RunError: it cannot be read, or is none of JSON, TOML and YAML.
    """
    kind = _kind(path)
    text, notes = read_text(path, MOST_YAML_BYTES if kind == "YAML" else MOST_BYTES)
    if kind == "unknown":
        kind = "JSON" if text.lstrip()[:1] in ("{", "[") else "TOML"
    readers: dict[str, Callable[[str], Document]] = {"JSON": parse_json, "TOML": parse_toml, "YAML": parse_yaml}
    try:
        found = readers[kind](text)
    except TooDeep:
        raise RunError(f"{path} is nested too deeply to be a configuration: name the right file") from None
    except (ValueError, OverflowError) as error:
        raise RunError(
            f"{path} is no valid {kind}: {_first_line(error.__cause__ or error)}: mend it, or save it anew"
        ) from None
    except RecursionError:
        raise RunError(f"{path} is nested too deeply to be a configuration: name the right file") from None
    return Document(found.tree, (*notes, *found.notes), found.doubled)


def parse_json(text: str) -> Document:
    """JSON; comments and commas too many are taken out where it is not valid with them."""
    doubled: list[str] = []

    def read(source: str) -> Any:
        doubled.clear()
        return parse(source, told_twice=doubled.append, finite=False)

    try:
        return Document(read(text), doubled=tuple(dict.fromkeys(doubled)))
    except TooDeep:
        raise
    except Malformed:
        tree = read(without_comments(text))
    note = "it is no strict JSON: comments or commas too many were passed over"
    return Document(tree, (note,), tuple(dict.fromkeys(doubled)))


def parse_toml(text: str) -> Document:
    """TOML.

    Raises:
        ValueError: it is none, or has keys of more parts than any configuration.
    """
    return Document(toml_file.parse_toml(text.replace("\r\n", "\n")))


def parse_yaml(text: str) -> Document:
    """YAML without aliases and tags, which no job has and a hostile file would grow by.

    Raises:
        ValueError: it is no YAML, or has them.
    """
    import yaml

    doubled: list[str] = []

    class Loader(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise ValueError("it holds an alias (*name), which a job does not need")
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            counts = Counter(key.value for key, _ in node.value if isinstance(key.value, str))
            doubled.extend(name for name, count in counts.items() if count > 1)
            return super().construct_mapping(node, deep)

    try:
        tree = yaml.load(text, Loader)
    except yaml.YAMLError as error:
        raise ValueError(_first_line(error)) from None
    except (AttributeError, TypeError, LookupError) as error:  # of values that only look like dates or numbers
        raise ValueError(_first_line(error)) from None
    plain = _plain(tree)
    check_tree(plain)
    return Document(plain, doubled=tuple(dict.fromkeys(doubled)))


_PIECES = re.compile(r'"(?:[^"\\\n]|\\.)*+"?|//[^\n]*|/\*.*?(?:\*/|\Z)|,(?=\s*[}\]])|(?m:^[ \t]*#[^\n]*)', re.DOTALL)
"""Texts (which stay), comments, and commas before a closing bracket; each also unfinished, or it would take long."""


def without_comments(text: str) -> str:
    """JSON without what only readers need; twice, for a comma before a comment before a bracket."""
    for _ in range(2):
        text = _PIECES.sub(lambda found: found[0] if found[0].startswith('"') else " ", text)
    return text


def _plain(tree: Any) -> Any:
    """Only what JSON has; keys as texts."""
    if isinstance(tree, dict):
        return {str(key): _plain(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_plain(value) for value in tree]
    if tree is None or isinstance(tree, str | bool | int):
        return tree
    return tree if isinstance(tree, float) and math.isfinite(tree) else str(tree)


def _kind(path: Path) -> str:
    suffix = path.suffix.lower()
    return {".json": "JSON", ".toml": "TOML", ".yaml": "YAML", ".yml": "YAML"}.get(suffix, "unknown")


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or ["it cannot be read"]
    where = next((line.strip() for line in lines if " line " in f" {line}"), "")
    return " ".join(dict.fromkeys((lines[0][:200], where[:100]))).strip()

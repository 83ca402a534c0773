"""JSON from strangers as plain values, in a time that grows with its length alone and only what JSON allows.

The format: RFC 8259, rfc-editor.org/rfc/rfc8259.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, NoReturn

from advisor.shown_text import short

MOST_DEPTH = 100
"""Tables and lists in one another; no file that we read needs a tenth of it."""
MOST_DIGITS = 100
"""Letters of one number: turning thousands of digits into a number takes their square in time."""
_TOO_LARGE = 10**MOST_DIGITS

Pairs = list[tuple[str, Any]]


class Malformed(ValueError):
    """Why a text is refused, as a sentence that begins with `it`."""


class TooDeep(Malformed):
    """Tables and lists lie in one another more than `MOST_DEPTH` times."""

    def __init__(self) -> None:
        super().__init__("it is nested too deeply")


def parse_json(
    raw: bytes | str,
    *,
    told_twice: Callable[[str], None] | None = None,
    finite: bool = True,
    half_characters: bool = False,
) -> Any:
    """The value that `raw` (UTF-8, with or without a byte order mark) stands for.

    Args:
        told_twice: is called with each name that stands twice in a table, whose last value counts; without it such a
            table is refused, since two readers may take two values.
        finite: NaN, Infinity and numbers beyond a float's range are refused; without it they are floats, as Python's
            own reader and writer have them.
        half_characters: halves of characters, as names of files in an old encoding have them, are let through.

    Raises:
        Malformed: it is no JSON (whose `__cause__` is a JSONDecodeError), names something twice, is nested more than
            `MOST_DEPTH` deep, or holds NaN, a number of more than `MOST_DIGITS` letters or beyond a float's range, or
            half a character.
    """
    errors = "surrogatepass" if half_characters else "strict"
    text = _decoded(raw, errors) if isinstance(raw, bytes) else raw.removeprefix("\ufeff")
    tell = _refuse_twice if told_twice is None else told_twice

    def table(pairs: Pairs) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            _tell_doubles(pairs, tell)
        return found

    try:
        found = json.loads(
            text,
            object_pairs_hook=table,
            parse_constant=_refuse_constant if finite else None,
            parse_int=_whole,
            parse_float=_finite if finite else _float,
        )
    except json.JSONDecodeError as error:
        raise Malformed(f"it is not JSON: {error.msg} at character {error.pos:,}") from error
    except RecursionError:
        raise TooDeep from None
    check_tree(found, half_characters=half_characters)
    return found


def _decoded(raw: bytes, errors: str) -> str:
    try:
        return raw.decode("utf-8-sig", errors)
    except UnicodeDecodeError as error:
        raise Malformed(f"byte {error.start:,} of it is not UTF-8") from None


def _tell_doubles(pairs: Pairs, tell: Callable[[str], None]) -> None:
    seen = set[str]()
    for name, _ in pairs:
        if name in seen:
            tell(name)
        seen.add(name)


def _refuse_twice(name: str) -> NoReturn:
    raise Malformed(f"it names {short(name)} twice")


def _refuse_constant(constant: str) -> NoReturn:
    raise Malformed(f"it holds {constant}, which is no JSON number")


def _whole(text: str) -> int:
    _check_digits(text)
    return int(text)


def _float(text: str) -> float:
    _check_digits(text)
    return float(text)


def _finite(text: str) -> float:
    found = _float(text)
    if not math.isfinite(found):
        raise Malformed(f"it holds {text}, which is larger than any number")
    return found


def _check_digits(text: str) -> None:
    if len(text) > MOST_DIGITS:
        raise Malformed(f"it holds a number of {len(text):,} digits")


def check_tree(tree: Any, *, half_characters: bool = False) -> None:
    """Refuse tables and lists that are nested too deeply, and what in them cannot be written again.

    Raises:
        Malformed: it has more than `MOST_DEPTH` levels, half a character or a number of more than `MOST_DIGITS` digits.
    """
    check_text = _let_through if half_characters else _check_text
    # Level by level, so that no depth of the tree is a depth of calls.
    level = [tree]
    for _ in range(MOST_DEPTH + 1):
        inner = list[Any]()
        for node in level:
            if isinstance(node, dict):
                for name in node:
                    check_text(name)
                inner += node.values()
            elif isinstance(node, list):
                inner += node
            elif isinstance(node, str):
                check_text(node)
            elif isinstance(node, int) and not -_TOO_LARGE < node < _TOO_LARGE:
                raise Malformed(f"it holds a number of more than {MOST_DIGITS} digits")
        if not inner:
            return
        level = inner
    raise TooDeep


def _let_through(_: str) -> None:
    """Halves of characters are taken as they are."""


def _check_text(text: str) -> None:
    """Refuse what cannot be written again: an escape may stand for half a character."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise Malformed(f"{short(text)} in it is not Unicode text") from None

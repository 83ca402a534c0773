"""Reading one value of a hand-edited file: numbers as text, yes and no in many ways; `ValueError` says why not."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from advisor.settings.parse_value import NOTHING

Reader = Callable[[Any], Any]


YES, NO = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})

LONGEST_TEXT = 20_000
"""Characters; no honest setting is longer."""
LARGEST = 10**15
"""No honest setting is larger, and below it whole numbers stay exact."""
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")
"""A number as it is written in much of Europe; two whole numbers with a comma look the same, and are refused too."""
LONGEST_NUMBER = 40
"""Characters of a number written as text."""


def says_nothing(raw: Any) -> bool:
    """Whether a value is as good as left out."""
    return raw is None or (isinstance(raw, str) and raw.strip().lower() in NOTHING)


def number(raw: Any) -> float:
    """A finite number, also one written as text; with a decimal comma no trainer takes it."""
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        raise ValueError("no number")
    if isinstance(raw, str):
        text = raw.strip()
        if len(text) > LONGEST_NUMBER:
            raise ValueError("no number")
        if DECIMAL_COMMA.fullmatch(text):
            raise ValueError(f"no number with its comma (write {text.replace(',', '.')})")
        raw = text
    try:
        found = float(raw)
    except (ValueError, OverflowError):
        raise ValueError("no number") from None
    if not math.isfinite(found):
        raise ValueError("no finite number")
    if abs(found) > LARGEST:
        raise ValueError("larger than any setting")
    return found


def whole(raw: Any) -> int:
    """A whole number; `16.0` is one."""
    if isinstance(raw, int) and not isinstance(raw, bool) and abs(raw) <= LARGEST:
        return raw
    found = number(raw)
    if not found.is_integer():
        raise ValueError("no whole number")
    return int(found)


def flag(raw: Any) -> bool:
    """Yes or no."""
    if isinstance(raw, bool):
        return raw
    word = str(raw).strip().lower() if isinstance(raw, str | int | float) else "?"
    if word in YES or word == "1.0":
        return True
    if word in NO or word == "0.0":
        return False
    raise ValueError("neither yes nor no")


def text(raw: Any) -> str:
    """A text of a reasonable length."""
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise ValueError("no text")
    found = str(raw).strip()
    if len(found) > LONGEST_TEXT or any("\ud800" <= letter <= "\udfff" for letter in found):
        raise ValueError("too long, or no proper text")
    return found


def choice(names: Mapping[str, Any]) -> Reader:
    """One of some names, whatever the case."""
    lowered = {name.lower(): value for name, value in names.items()}

    def read(raw: Any) -> Any:
        word = text(raw).lower()
        if word not in lowered:
            raise ValueError("unknown here")
        return lowered[word]

    return read


def numbers(raw: Any) -> tuple[float, ...]:
    """Numbers in a list, or in a text with commas, be it in brackets; a number with a decimal comma is none."""
    if isinstance(raw, str):
        if DECIMAL_COMMA.fullmatch(raw.strip()):
            return (number(raw),)
        raw = [part for part in raw.strip().strip("[]()").split(",") if part.strip()]
    if not isinstance(raw, list | tuple):
        raw = [raw]
    if len(raw) > 1000:
        raise ValueError("too many numbers")
    return tuple(number(part) for part in raw)

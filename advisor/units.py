"""Numbers as a person writes them, for the sentences of the advisor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")

GIB = 1024**3
"""Bytes in a GiB; cards are sold in these."""
MIB = 1024**2
"""Bytes in a MiB; LoRA files are a few dozen of these."""
MINUTE = 60
"""Seconds."""
LONGEST_SECONDS = 100 * 365 * 24 * 60 * MINUTE
"""A century; what is said to take longer, as by an event that nobody measured, is not told exactly."""


def gib(number_bytes: int) -> str:
    """E.g. `6.3 GiB`."""
    return f"{number_bytes / GIB:.1f} GiB"


def mib(number_bytes: int) -> str:
    """E.g. `36 MiB`; a decimal where a whole number would say little."""
    size = number_bytes / MIB
    return f"{size:.0f} MiB" if size >= 10 else f"{size:.1f} MiB"


def size(number_bytes: int) -> str:
    """In GiB from half of one on, in MiB below."""
    return gib(number_bytes) if number_bytes >= GIB // 2 else mib(number_bytes)


def duration(seconds: float) -> str:
    """E.g. `40 seconds`, `25 minutes`, `3 hours 10 minutes`, `2 days 4 hours`."""
    if seconds > LONGEST_SECONDS:
        return "more than 100 years"
    if seconds < 1.5 * MINUTE:
        return counted(max(1, round(seconds)), "second")
    minutes = round(seconds / MINUTE)
    if minutes < 90:
        return counted(minutes, "minute")
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return " ".join([counted(hours, "hour"), *([counted(minutes, "minute")] if minutes else [])])
    days, hours = divmod(hours, 24)
    return " ".join([counted(days, "day"), *([counted(hours, "hour")] if hours else [])])


def counted(number: int, noun: str) -> str:
    """E.g. `1 picture`, `30 pictures`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def first_of(items: Sequence[T], most: int) -> Sequence[T]:
    """The first of them; all where only one would be left, which takes no more room than `and 1 more`."""
    return items if len(items) == most + 1 else items[:most]


def named(items: Iterable[str], most: int = 3) -> str:
    """The first of them, and how many more there are: `a, b, c and 4 more`."""
    every = list(items)
    first = first_of(every, most)
    more = f" and {len(every) - len(first):,} more" if len(every) > len(first) else ""
    return ", ".join(first) + more


def rounded(number: float) -> float:
    """To six significant digits, so that a share of a rate is no 2.0000000000000003e-06."""
    return float(f"{number:.6g}")


def rate(number: float) -> str:
    """A learning rate, e.g. `7e-5`."""
    if number == 0 or number >= 0.01:
        return f"{number:g}"
    mantissa, _, exponent = f"{number:.6e}".partition("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def shown(value: object) -> str:
    """A setting's value inside a sentence."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return rate(value)
    if value is None or value in ("", ()):
        return "none"
    return ", ".join(map(shown, value)) if isinstance(value, tuple) else str(value)

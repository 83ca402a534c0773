"""Axes of charts: round numbers, and where they stand."""

from __future__ import annotations

import math
from dataclasses import dataclass

MOST_TICKS = 5
SMALLEST = 1e-300
"""What is less apart counts as equal: parts of it are no numbers any more."""


@dataclass(frozen=True)
class Tick:
    """A mark at an axis."""

    label: str
    percent: float
    """Of the axis, from the left or from the top."""


@dataclass(frozen=True)
class Span:
    """What an axis goes from and to."""

    lowest: float
    highest: float

    @property
    def height(self) -> float:
        """1 where both are equal, so that it can be divided by."""
        return (self.highest - self.lowest) or 1.0

    def right(self, value: float) -> float:
        """Where a value stands, in percent from the left."""
        return 100 * (value - self.lowest) / self.height

    def down(self, value: float) -> float:
        """The same in percent from the top, with a little room at both ends."""
        return 97 - 94 * (value - self.lowest) / self.height

    def left_ticks(self) -> tuple[Tick, ...]:
        """Round numbers of an axis that goes up."""
        found = round_numbers(self.lowest, self.highest)
        return tuple(Tick(number_text(number, self.height), self.down(number)) for number in found)

    def bottom_ticks(self) -> tuple[Tick, ...]:
        """Round whole numbers of an axis that goes to the right."""
        found = round_numbers(self.lowest, self.highest, whole=True)
        return tuple(Tick(f"{number:,.0f}", self.right(number)) for number in found)


def round_numbers(lowest: float, highest: float, *, whole: bool = False) -> list[float]:
    """1, 2 or 5 times a power of ten, in multiples within the limits, at most MOST_TICKS; `lowest` for equal ones."""
    if highest - lowest <= max(SMALLEST, 1e-9 * max(abs(lowest), abs(highest))):
        return [lowest]
    power = 10.0 ** math.floor(math.log10((highest - lowest) / MOST_TICKS))
    sizes = (power * factor for factor in (1, 2, 5, 10, 20, 50))
    size = next(one for one in sizes if len(_multiples(one, lowest, highest)) <= MOST_TICKS and (one >= 1 or not whole))
    return [number * size for number in _multiples(size, lowest, highest)]


def _multiples(size: float, lowest: float, highest: float) -> range:
    return range(math.ceil(lowest / size), math.floor(highest / size) + 1)


def number_text(number: float, height: float) -> str:
    """With as many decimals as tell apart what is a tenth of `height` apart; small ones as powers of ten."""
    if height < 1e-3:
        digits = 1 + _power(number) - _power(height) if number else 1
        return f"{number:.{min(12, max(1, digits))}e}".replace("e-0", "e-").replace("e+00", "")
    return f"{number:.{min(9, max(2, 1 - math.floor(math.log10(height))))}f}"


def _power(number: float) -> int:
    return math.floor(math.log10(abs(number)))

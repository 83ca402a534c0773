"""What a good epoch must not do, however much it is worth: limits that bound the choice."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.choosing.averages import Averages, Key
from advisor.choosing.cells import MeasureName


@dataclass(frozen=True)
class Guard:
    """A measure and how far it may go; what lies beyond is told in words."""

    measure: MeasureName
    most: float
    fault: str
    """What an epoch beyond it does, as the end of a sentence."""


GUARDS: tuple[Guard, ...] = (
    Guard("damage", 0.5, "damages pictures"),
    Guard("memorised", 0.5, "repeats training pictures"),
)


def faults(averages: Averages, key: Key) -> tuple[str, ...]:
    """What an epoch does that it must not."""
    return tuple(guard.fault for guard in GUARDS if _is_beyond(averages, key, guard))


def _is_beyond(averages: Averages, key: Key, guard: Guard) -> bool:
    found = averages.get(guard.measure, key)
    return found is not None and found[0] > guard.most

"""What a good epoch must not do, however much it is worth: limits that bound the choice."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.choosing.averages import UNASKED, Averages, Figure, Key
from advisor.choosing.cells import MeasureName


@dataclass(frozen=True)
class Guard:
    """A measure and how far it may go."""

    measure: MeasureName
    most: float
    fault: str
    """What an epoch beyond it does, as the end of a sentence."""


GUARDS: tuple[Guard, ...] = (
    Guard("damage", 0.25, "damages pictures"),
    Guard("memorised", 0.5, "repeats pictures of the set"),
)
"""A quarter too much of noise, contrast or colour can be seen side by side; more than half of the way from a picture's
neighbour to its copy is nearer to the copy."""


def faults(averages: Averages, key: Key) -> tuple[str, ...]:
    """What an epoch does that it must not; where the prompt lacks the trigger counts as much as where it has it."""
    return tuple(guard.fault for guard in GUARDS if _is_beyond(averages, key, guard))


def _is_beyond(averages: Averages, key: Key, guard: Guard) -> bool:
    figures: list[Figure] = [guard.measure]
    figures += [UNASKED[guard.measure]] if guard.measure in UNASKED else []
    found = (averages.get(figure, key) for figure in figures)
    return any(samples is not None and samples[0] > guard.most for samples in found)

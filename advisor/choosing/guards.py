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
    most_unasked: float
    """Where the prompt lacks the trigger."""
    fault: str
    """What an epoch beyond it does, as the end of a sentence."""


GUARDS: tuple[Guard, ...] = (
    Guard("damage", 0.5, 0.25, "damages pictures"),
    Guard("memorised", 0.5, 0.5, "repeats pictures of the set"),
)
"""A quarter too much of noise, contrast or colour can be seen side by side; of a character that is half learned there
is as much that belongs neither to the base model nor to the set, so that twice of it is allowed where it is asked for.
More than half of the way from a picture's neighbour to its copy is nearer to the copy."""


def faults(averages: Averages, key: Key) -> tuple[str, ...]:
    """What an epoch does that it must not, where the prompt has the trigger or where it lacks it."""
    return tuple(guard.fault for guard in GUARDS if _is_beyond(averages, key, guard))


def _is_beyond(averages: Averages, key: Key, guard: Guard) -> bool:
    limits: dict[Figure, float] = {guard.measure: guard.most}
    if guard.measure in UNASKED:
        limits[UNASKED[guard.measure]] = guard.most_unasked
    found = ((averages.get(figure, key), most) for figure, most in limits.items())
    return any(samples is not None and samples[0] > most for samples, most in found)

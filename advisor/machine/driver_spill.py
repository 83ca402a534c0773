"""The silent spill: some drivers put what does not fit a card into the machine's memory, and steps take minutes.

Windows' drivers do, and so they do under WSL; elsewhere a card that is full is an error. A limit on our own process
turns most spills into that error. What comes through, since other programs grow too, shows in the steps' times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from advisor.units import MIB

CAP_MARGIN_BYTES = 256 * MIB
"""Of the memory that is free at the start, left to the driver's libraries, which the limit does not see, and to the
desktop. Unmeasured."""

FIRST_STEPS = 3
"""Have memory and kernels to fetch; their times tell nothing."""
EARLY_STEPS = 10
"""What the usual time is taken from, after the first."""
SLOW_TIMES = 5.0
"""So many times the usual is slow: a laptop that gets hot halves its clock; of spills 40 to 200 s a step were told."""
SLOW_TIMES_OF_PREDICTED = 20.0
"""The same over a predicted time, which may be wrong itself."""
LAST_STEPS, LEAST_SLOW = 8, 6
"""So many of the last steps must be slow; one or two are a computer that slept or a virus scanner."""
LEAST_SLOW_SECONDS = 60.0
"""What is over sooner is worth no restart."""
FULL_SHARE = 0.95
"""A card with more room than this cannot spill."""


@dataclass(frozen=True)
class TimedStep:
    """A step that was made."""

    seconds: float
    pixels: int
    """Of all its pictures."""
    largest: int
    """Of one of its pictures."""


def drivers_spill(system: str, release: str) -> bool:
    """Whether a card's driver spills here.

    Args:
        system: as `platform.system()` has it.
        release: as `platform.release()` has it; WSL's kernel names Microsoft.
    """
    return system == "Windows" or (system == "Linux" and "microsoft" in release.lower())


def cap_share(free_bytes: int, total_bytes: int) -> float:
    """The part of a card that our process may take, 0 to 1: what is free, less a margin."""
    if total_bytes <= 0:
        return 1.0
    return min(1.0, max(0.0, (free_bytes - CAP_MARGIN_BYTES) / total_bytes))


def times_slower(steps: Sequence[TimedStep], predicted_seconds: float | None = None) -> float | None:
    """How many times slower the last steps were than they should be; None where nothing is wrong for long.

    Args:
        steps: all since the process started.
        predicted_seconds: of a step, where it was predicted: for a spill that began with the first step.
    """
    last = steps[max(FIRST_STEPS, len(steps) - LAST_STEPS) :]
    if len(last) < LAST_STEPS:
        return None
    slow = [(step, times) for step in last if (times := _slowness(step, steps, predicted_seconds)) is not None]
    if len(slow) < LEAST_SLOW or sum(step.seconds for step, _ in slow) < LEAST_SLOW_SECONDS:
        return None
    return median(times for _, times in slow)


def _slowness(step: TimedStep, steps: Sequence[TimedStep], predicted_seconds: float | None) -> float | None:
    """How many times slower than it should be a step was; None: it was not slow."""
    found = list[float]()
    early = steps[FIRST_STEPS : FIRST_STEPS + EARLY_STEPS]
    if len(early) == EARLY_STEPS:
        times = step.seconds / max(median(_expected(step, one) for one in early), 1e-9)
        if times >= SLOW_TIMES:
            found.append(times)
    if predicted_seconds and step.seconds >= SLOW_TIMES_OF_PREDICTED * predicted_seconds:
        found.append(step.seconds / predicted_seconds)
    return max(found, default=None)


def _expected(step: TimedStep, early: TimedStep) -> float:
    """At most so long a step should take by an earlier one.

    More pixels take as much longer, and in larger pictures attention grows with the square; a smaller step is not taken
    for a faster one, because much of its time does not depend on its size.
    """
    more = max(1.0, step.pixels / max(early.pixels, 1))
    larger = max(1.0, step.largest / max(early.largest, 1))
    return early.seconds * more * larger

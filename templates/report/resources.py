"""Time and memory of a training, beside what its plan expected."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from advisor.run_folder.events import AnyEvent, Finished, StepDone
from advisor.run_folder.plan_outline import Expected
from advisor.units import duration, mib, size

ROOM = 1.08
"""A bar ends a little beyond the larger of both."""


@dataclass(frozen=True)
class Beside:
    """A figure as it was expected and as it was."""

    name: str
    expected: str
    measured: str
    difference: str
    """In words; empty where one of both is not known."""
    low: float = 0.0
    high: float = 0.0
    """What was expected, in percent of the bar; 0: no bar."""
    at: float = 0.0
    """What was measured."""


def resources(events: Sequence[AnyEvent], expected: Expected | None, *, on_card: bool) -> tuple[Beside, ...]:
    """The figures that are known from either side; none before anything was trained."""
    finished = next((event for event in reversed(events) if isinstance(event, Finished)), None)
    plan = expected or Expected()
    seconds, each = (finished.seconds, finished.seconds_per_step) if finished else (None, None)
    peak = finished.peak_memory_bytes if finished else _peak(events)
    if not peak and not finished:
        return ()
    memory = (
        ("Memory, allocated by torch", plan.allocated_bytes) if on_card else ("Memory of the process", plan.vram_bytes)
    )
    rows = [_time(plan, seconds), _each(plan, each), _bytes(*memory, peak)]
    if on_card and finished:
        rows.append(_bytes("Memory, reserved on the card", plan.reserved_bytes, finished.peak_reserved_bytes))
    return tuple(row for row in rows if row is not None)


def _peak(events: Iterable[AnyEvent]) -> int:
    return max((event.memory_bytes for event in events if isinstance(event, StepDone)), default=0)


def _time(plan: Expected, seconds: float | None) -> Beside | None:
    if seconds is None and plan.seconds is None:
        return None
    span = ""
    low, high = plan.seconds_low or plan.seconds or 0.0, plan.seconds_high or plan.seconds or 0.0
    if plan.seconds is not None:
        span = f"about {duration(plan.seconds)}"
        span += f" ({duration(low)} to {duration(high)})" if high > low else ""
    took = "" if seconds is None else duration(seconds)
    return _beside("Time, all of it", span, took, (low, high, seconds or 0.0), plan.seconds)


def _each(plan: Expected, each: float | None) -> Beside | None:
    if not each and not plan.seconds_per_step:
        return None
    return _beside(
        "Time of a step", _per_step(plan.seconds_per_step), _per_step(each),
        (plan.seconds_per_step or 0.0, plan.seconds_per_step or 0.0, each or 0.0), plan.seconds_per_step,
    )  # fmt: skip


def _per_step(seconds: float | None) -> str:
    if not seconds:
        return ""
    return f"{1000 * seconds:.0f} ms" if seconds < 0.1 else f"{seconds:.2f} s"


def _bytes(name: str, expected: int, measured: int) -> Beside | None:
    if not measured:
        return None
    told = f"about {size(expected)}" if expected else ""
    return _beside(name, told, size(measured), (expected, expected, measured), expected or None)


def _beside(
    name: str, expected: str, measured: str, figures: tuple[float, float, float], middle: float | None
) -> Beside:
    """Args:
    figures: the least and the most that was expected, and what was measured, in the same unit.
    """
    low, high, at = figures
    most = max(high, at) * ROOM
    if not (middle and at and most):
        return Beside(name, expected or "not known", measured or "not known", "")
    return Beside(
        name, expected, measured, _difference(at, middle, low, high),
        100 * low / most, 100 * high / most, 100 * at / most,
    )  # fmt: skip


def _difference(at: float, middle: float, low: float, high: float) -> str:
    if low < high:
        return "as expected" if low <= at <= high else "less than expected" if at < low else "more than expected"
    percent = 100 * (at / middle - 1)
    if abs(percent) < 1:
        return "as expected"
    return f"{at / middle:.1f} times" if percent >= 100 else f"{abs(percent):.0f} % {'more' if percent > 0 else 'less'}"


def lora_size(expected: Expected | None) -> str:
    """What a LoRA was expected to take; empty where that is not known."""
    return mib(expected.lora_bytes) if expected is not None and expected.lora_bytes else ""

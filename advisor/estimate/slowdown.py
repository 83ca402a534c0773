"""How much longer a step takes than another, on a card or processor, with the range that its speed leaves open."""

from __future__ import annotations

from dataclasses import dataclass, replace

from advisor.estimate.device_speed import Speed
from advisor.estimate.step_work import StepWork

BRINGING = (1.08, 1.25)
"""How much longer a step takes whose weights come from the machine's memory, and at most, where nothing is known of the
card: Anima's takes 4 to 11 % longer in other trainers; a short step on a slow link waits for it."""


@dataclass(frozen=True)
class Slowdown:
    """A step's time over that of another one."""

    likely: float
    least: float
    most: float

    @property
    def text(self) -> str:
        """What a step takes, e.g. `about 38 % longer (36 to 47 %)`, `24 % less time`, `as long`."""
        likely, least, most = (round(factor * 100) - 100 for factor in (self.likely, self.least, self.most))
        if least == most:
            return _change(likely)
        if likely > 0 and least >= 0:
            return f"about {_change(likely)} ({least} to {most} %)"
        if likely < 0 and most <= 0:
            return f"about {_change(likely)} ({-most} to {-least} %)"
        bounds = [_change(bound) for bound in (least, most) if bound != likely]
        return f"about {_change(likely)} ({'at most ' * (len(bounds) == 1)}{' to '.join(bounds)})"


def _change(percent: int) -> str:
    if percent == 0:
        return "as long"
    return f"{percent} % longer" if percent > 0 else f"{-percent} % less time"


def slowdown(before: StepWork, after: StepWork, speed: Speed | None) -> Slowdown:
    """The time of `after` over that of `before`.

    Two speeds decide it, that of computing and that of starting operations; the range is what it becomes where one is
    as much faster or slower beside the other as the told uncertainty allows.

    Args:
        speed: None: nothing is known of the card; then it may be bound by either.
    """
    if speed is None:
        computing, starting = after.flops / before.flops, after.calls / before.calls
        least, most = min(computing, starting), max(computing, starting)
        if after.brought_bytes > before.brought_bytes:
            return Slowdown(computing * BRINGING[0], least, most * BRINGING[1])
        return Slowdown(computing, least, most)
    unsure = speed.uncertainty
    found = [_ratio(before, after, speed, factor) for factor in (1.0, 1.0 / unsure, unsure)]
    return Slowdown(found[0], min(found), max(found))


def _ratio(before: StepWork, after: StepWork, speed: Speed, factor: float) -> float:
    """With operations that take so many times longer to start."""
    other = replace(speed, call_seconds=speed.call_seconds * factor)
    return other.seconds(after) / other.seconds(before)

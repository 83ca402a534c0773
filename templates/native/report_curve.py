"""The loss of a training: a curve with its axes and the epochs, and what may be said of its beginning and its end."""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from advisor.run_folder.events import AnyEvent, StepDone
from advisor.run_folder.loss_curve import smoothed

MOST_POINTS = 400
"""A curve on the page is thinned to this many points."""
MOST_EPOCH_MARKS = 12
"""Of more epochs every second, fifth, tenth ... is marked."""
MOST_TICKS = 5
MOST_STEPS, LARGEST_LOSS = 10**12, 1e30
"""What is beyond these is no training's, and would leave no room for the rest of the curve."""
LEAST_STEPS = 20
"""With fewer a tenth is no sample."""
SURE = 2.0
"""A difference of so many standard errors is taken for one: 95 % of those by chance are smaller."""


@dataclass(frozen=True)
class Tick:
    """A mark at an axis."""

    label: str
    percent: float
    """Of the axis, from the left or from the top."""


@dataclass(frozen=True)
class Chart:
    """A curve, ready to be drawn in a box of 600 x 160."""

    points: str
    lowest: float
    highest: float
    last_step: int
    losses: tuple[Tick, ...] = ()
    steps: tuple[Tick, ...] = ()
    epochs: tuple[Tick, ...] = ()
    """Where each of these epochs ends."""


@dataclass(frozen=True)
class Curve:
    """The losses of a training's steps, those made again by a resumed one in the place of those before."""

    steps: tuple[int, ...] = ()
    losses: tuple[float, ...] = ()
    epochs: tuple[int, ...] = ()
    """Of each step, counted from 1; 0: not known."""


def loss_curve(events: Iterable[AnyEvent]) -> Curve:
    """The losses that the events tell, step by step."""
    made = list[tuple[int, float, int]]()
    for event in events:
        if not isinstance(event, StepDone) or event.loss is None or not _is_sane(event.step, event.loss):
            continue
        if made and event.step <= made[-1][0]:
            del made[bisect_left(made, (event.step,)) :]
        made.append((event.step, event.loss, event.epoch))
    if not made:
        return Curve()
    steps, losses, epochs = zip(*made, strict=True)
    return Curve(steps, losses, epochs)


def _is_sane(step: int, loss: float) -> bool:
    return 0 <= step <= MOST_STEPS and abs(loss) <= LARGEST_LOSS


def loss_chart(curve: Curve) -> Chart | None:
    """The smoothed loss over the steps; None for fewer than two steps."""
    if len(curve.steps) < 2:
        return None
    smooth = list[float]()
    for loss in curve.losses:
        smooth.append(smoothed(smooth[-1] if smooth else None, loss))
    first, last, lowest, highest = curve.steps[0], curve.steps[-1], min(smooth), max(smooth)
    height = (highest - lowest) or 1.0

    def right(step: float) -> float:
        return 100 * (step - first) / (last - first)

    def down(loss: float) -> float:
        return 97 - 94 * (loss - lowest) / height

    every = max(1, len(smooth) // MOST_POINTS)
    points = " ".join(
        f"{6 * right(step):.1f},{1.6 * down(loss):.1f}"
        for step, loss in list(zip(curve.steps, smooth, strict=True))[::every]
    )
    return Chart(
        points, lowest, highest, last,
        losses=tuple(Tick(_loss_text(loss, height), down(loss)) for loss in _round_numbers(lowest, highest)),
        steps=tuple(Tick(f"{step:,.0f}", right(step)) for step in _round_numbers(first, last, whole=True)),
        epochs=tuple(Tick(str(epoch), right(step)) for epoch, step in _epoch_ends(curve)),
    )  # fmt: skip


def _round_numbers(lowest: float, highest: float, *, whole: bool = False) -> list[float]:
    """1, 2 or 5 times a power of ten, in multiples within the limits, at most MOST_TICKS; `lowest` for equal ones."""
    if highest - lowest <= 1e-9 * max(abs(lowest), abs(highest)):
        return [lowest]
    power = 10.0 ** math.floor(math.log10((highest - lowest) / MOST_TICKS))
    sizes = (power * factor for factor in (1, 2, 5, 10, 20, 50))
    size = next(one for one in sizes if (highest - lowest) / one < MOST_TICKS and (one >= 1 or not whole))
    return [number * size for number in range(math.ceil(lowest / size), math.floor(highest / size) + 1)]


def _loss_text(loss: float, height: float) -> str:
    """With as many decimals as tell apart what is a tenth of `height` apart."""
    return f"{loss:.{min(9, max(2, 1 - math.floor(math.log10(height))))}f}"


def _epoch_ends(curve: Curve) -> list[tuple[int, int]]:
    """(epoch, its last step) of all that have ended, or of each second, fifth, tenth ... where they are many."""
    made = list(zip(curve.epochs, curve.steps, strict=True))
    ends = [before for before, after in pairwise(made) if after[0] > before[0] > 0]
    every = next(n for n in (1, 2, 5, 10, 20, 50, 100, 500, 10**4, 10**9) if len(ends) <= n * MOST_EPOCH_MARKS)
    return [(epoch, step) for epoch, step in ends if epoch % every == 0]


def loss_sentence(curve: Curve) -> str:
    """What the loss was in the first and in the last tenth of the steps, and whether that is a difference."""
    if len(curve.losses) < LEAST_STEPS:
        return f"{len(curve.losses)} steps are too few to tell a change of the loss from its noise."
    tenth = len(curve.losses) // 10
    first, last = curve.losses[:tenth], curve.losses[-tenth:]
    before, after = statistics.fmean(first), statistics.fmean(last)
    noise = (statistics.stdev(first) + statistics.stdev(last)) / 2
    change = _change(before, after, _standard_error(first, last))
    return (
        f"On average {before:.4f} over the first {tenth} steps and {after:.4f} over the last {tenth}: {change}. "
        f"Single steps differ by about {noise:.4f} either way, since each meets other pictures and timesteps."
    )


def _standard_error(first: Sequence[float], last: Sequence[float]) -> float:
    """Of the difference between the means of two samples of the same size."""
    return math.sqrt((statistics.variance(first) + statistics.variance(last)) / len(first))


def _change(before: float, after: float, error: float) -> str:
    if abs(after - before) <= SURE * error:
        return "no difference that chance alone would not make"
    moved = "fell" if after < before else "rose"
    return f"it {moved} by {100 * abs(after - before) / before:.0f} %" if before > 0 else f"it {moved}"

"""The curves of a training over its steps, with axes and the ends of its epochs; and what may be said of the loss."""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from advisor.run_folder.events import AnyEvent, StepDone, Validated
from advisor.run_folder.loss_curve import smoothed
from templates.report.axes import Span, Tick

MOST_POINTS = 400
"""A curve on the page is thinned to this many points."""
MOST_EPOCH_MARKS = 12
"""Of more epochs every second, fifth, tenth ... is marked."""
MOST_STEPS, LARGEST_LOSS = 10**12, 1e30
"""What is beyond these is no training's, and would leave no room for the rest of the curve."""
LEAST_STEPS = 20
"""With fewer a tenth is no sample."""
SURE = 2.0
"""A difference of so many standard errors is taken for one: 95 % of those by chance are smaller."""
WIDE, HIGH = 600, 160
"""The box that curves are drawn in."""


@dataclass(frozen=True)
class Line:
    """A curve in the box of WIDE x HIGH."""

    name: str
    points: str
    dots: tuple[tuple[float, float], ...] = ()
    """In percent from the left and the top, where its points are few."""


@dataclass(frozen=True)
class Chart:
    """Curves with their axes."""

    title: str
    unit: str
    """What stands at the upright axis."""
    lines: tuple[Line, ...]
    down: Span
    last_step: int
    left: tuple[Tick, ...] = ()
    steps: tuple[Tick, ...] = ()
    epochs: tuple[Tick, ...] = ()
    """Where each of these epochs ends."""

    @property
    def text(self) -> str:
        """The same in words, for those who do not see it."""
        names = " and ".join(line.name for line in self.lines)
        within = f"between {self.down.lowest:.3g} and {self.down.highest:.3g}"
        return f"{self.title} ({names}) up to step {self.last_step:,}, {within}"


@dataclass(frozen=True)
class Curve:
    """A training's steps, those made again by a resumed one in the place of those before."""

    made: tuple[StepDone, ...] = ()
    validated: tuple[Validated, ...] = ()

    @property
    def losses(self) -> tuple[float, ...]:
        """Of each step."""
        return tuple(event.loss for event in self.made if event.loss is not None)


def curve_of(events: Iterable[AnyEvent]) -> Curve:
    """The steps that the events tell of, those without a loss left out."""
    made, validated = list[StepDone](), list[Validated]()
    for event in events:
        if isinstance(event, StepDone | Validated) and event.loss is not None and _is_sane(event.step, event.loss):
            found: list[StepDone] | list[Validated] = made if isinstance(event, StepDone) else validated
            if found and event.step <= found[-1].step:
                del found[bisect_left([one.step for one in found], event.step) :]
            found.append(event)  # type: ignore[arg-type]  # each kind into its own
    return Curve(tuple(made), tuple(one for one in validated if not made or one.step <= made[-1].step))


def _is_sane(step: int, loss: float) -> bool:
    return 0 <= step <= MOST_STEPS and abs(loss) <= LARGEST_LOSS


def loss_chart(curve: Curve) -> Chart | None:
    """The smoothed loss, and that on held-out pictures; None for fewer than two steps."""
    smooth = list[float]()
    for loss in curve.losses:
        smooth.append(smoothed(smooth[-1] if smooth else None, loss))
    steps = [event.step for event in curve.made]
    held_out = [(event.step, event.loss) for event in curve.validated if event.loss is not None]
    series = {"training, smoothed": list(zip(steps, smooth, strict=True)), "held-out pictures": held_out}
    return _chart("Loss", "loss", series, curve)


def rate_chart(curve: Curve) -> Chart | None:
    """The learning rates; None where the optimizer chooses them, or none changes."""
    series = {
        "U-Net": _series(curve, lambda event: event.unet_learning_rate),
        "text encoder": _series(curve, lambda event: event.text_encoder_learning_rate),
    }
    changes = any(len({value for _, value in found}) > 1 for found in series.values())
    return _chart("Learning rate", "rate", series, curve) if changes else None


def _series(curve: Curve, of: Callable[[StepDone], float | None]) -> list[tuple[int, float]]:
    found = ((event.step, of(event)) for event in curve.made)
    return [(step, value) for step, value in found if value is not None and abs(value) <= LARGEST_LOSS]


def _chart(title: str, unit: str, series: dict[str, list[tuple[int, float]]], curve: Curve) -> Chart | None:
    if len(curve.made) < 2:
        return None
    values = [value for found in series.values() for _, value in found]
    across, down = Span(curve.made[0].step, curve.made[-1].step), Span(min(values), max(values))
    lines = tuple(_line(name, found, across, down) for name, found in series.items() if found)
    return Chart(
        title, unit, lines, down, curve.made[-1].step, down.left_ticks(), across.bottom_ticks(),
        tuple(Tick(str(epoch), across.right(step)) for epoch, step in _epoch_ends(curve)),
    )  # fmt: skip


def _line(name: str, found: Sequence[tuple[int, float]], across: Span, down: Span) -> Line:
    every = max(1, len(found) // MOST_POINTS)
    inside = [(step, value) for step, value in found[::every] if across.lowest <= step <= across.highest]
    places = [(across.right(step), down.down(value)) for step, value in inside]
    points = " ".join(f"{WIDE / 100 * right:.1f},{HIGH / 100 * below:.1f}" for right, below in places)
    return Line(name, points, tuple(places) if len(places) <= MOST_EPOCH_MARKS * 2 else ())


def _epoch_ends(curve: Curve) -> list[tuple[int, int]]:
    """(epoch, its last step) of all that have ended, or of each second, fifth, tenth ... where they are many."""
    made = [(event.epoch, event.step) for event in curve.made]
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


def held_out_sentence(curve: Curve) -> str:
    """Where the loss on held-out pictures was lowest; empty where it was not measured twice."""
    found = [(event.loss, event.step, event.epoch) for event in curve.validated if event.loss is not None]
    if len(found) < 2:
        return ""
    loss, step, epoch = min(found)
    when = f"after epoch {epoch}" if epoch else f"after step {step:,}"
    return f"On held-out pictures it was lowest {when} ({loss:.4f}; {found[-1][0]:.4f} at the end)."


def _standard_error(first: Sequence[float], last: Sequence[float]) -> float:
    """Of the difference between the means of two samples of the same size."""
    return math.sqrt((statistics.variance(first) + statistics.variance(last)) / len(first))


def _change(before: float, after: float, error: float) -> str:
    if abs(after - before) <= SURE * error:
        return "no difference that chance alone would not make"
    moved = "fell" if after < before else "rose"
    return f"it {moved} by {100 * abs(after - before) / before:.0f} %" if before > 0 else f"it {moved}"

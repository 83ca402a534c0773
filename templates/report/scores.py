"""The choice of an epoch and the scores that it was made by, with their intervals, as the page shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from advisor.choosing.cells import BASE_EPOCH, Choice, EpochScores, Interval, MeasureName
from advisor.units import shown
from templates.report.axes import Span, Tick

WIDE, HIGH = 320.0, 180.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 12.0, 10.0, 30.0
"""A panel and the room around its box, in the units of its drawing."""


@dataclass(frozen=True)
class Measure:
    """What is measured on pictures, for readers."""

    title: str
    meaning: str
    better: str
    """`higher`, `lower`, or empty."""


MEASURES: Mapping[MeasureName, Measure] = {
    "likeness": Measure("Likeness", "0: as the base model's own picture; 1: as your pictures", "higher"),
    "colour": Measure("Colours", "the same by colours alone; a part of likeness", "higher"),
    "obedience": Measure("Obedience", "1: the other words of a prompt do as much as with the base model", "higher"),
    "variety": Measure("Variety", "1: two seeds differ as much as with the base model", "higher"),
    "leak": Measure("Leak", "0: without the trigger the base model's own picture; 1: another one altogether", "lower"),
    "damage": Measure("Damage", "0: no more noise, blur or colour than the base model's pictures and yours", "lower"),
    "memorised": Measure("Memorised", "0: as your pictures are to each other; 1: a copy of one of them", "lower"),
}
"""In the order of the page."""

HEADLINES = {
    "good": "Take epoch {epoch}",
    "tied": "Take epoch {epoch}",
    "burnt": "Burnt: take epoch {epoch}",
    "underfit": "It has not learned enough yet",
    "no_trigger": "The trigger does not call the character",
    "unsure": "The scores do not tell the epochs apart",
}
WITHOUT_EPOCH = {"burnt": "Burnt", "good": "No epoch is recommended", "tied": "No epoch is recommended"}
TONES = {"good": "good", "tied": "good"}
"""Of a verdict; all others call for a look."""


@dataclass(frozen=True)
class Whisker:
    """A value with its interval in a panel, in the units of its drawing."""

    x: float
    y: float
    low: float
    high: float
    label: str
    mark: str


@dataclass(frozen=True)
class Panel:
    """One measure over the epochs."""

    measure: Measure
    points: str
    whiskers: tuple[Whisker, ...]
    left: tuple[Tick, ...]
    """Their places are in the units of the drawing."""
    bottom: tuple[Tick, ...]
    text: str
    """The same in words, for those who do not see it."""


@dataclass(frozen=True)
class ScoreRow:
    """The scores of an epoch at a weight."""

    label: str
    mark: str
    cells: tuple[tuple[str, str] | None, ...]
    """Value and interval of each measure; None: not measured."""


@dataclass(frozen=True)
class ScoreView:
    """All scores of a run."""

    measures: tuple[Measure, ...]
    rows: tuple[ScoreRow, ...]
    panels: tuple[Panel, ...]
    weight: float
    """Of the panels."""
    with_weights: bool


@dataclass(frozen=True)
class ChoiceView:
    """What is chosen, in words."""

    headline: str
    tone: str
    reason: str
    facts: tuple[tuple[str, str], ...]
    """(name, what) of what is known beside."""
    changes: tuple[tuple[str, str], ...]
    """(setting, value) of the next run that is offered."""


def choice_view(choice: Choice) -> ChoiceView:
    """The choice in words."""
    has_epoch = choice.epoch is not None
    headline = (HEADLINES if has_epoch else HEADLINES | WITHOUT_EPOCH)[choice.verdict].format(epoch=choice.epoch)
    facts = [("sure", f"{100 * choice.confidence:.0f} %")]
    facts += [("weight", f"{choice.weight:g}")] if choice.weight is not None else []
    facts += [("as good", epochs_text(choice.tied))] if len(choice.tied) > 1 else []
    facts += [("runner-up", f"epoch {choice.runner_up}")] if choice.runner_up is not None else []
    facts += [("damaged", f"from epoch {choice.burnt_from}")] if choice.burnt_from is not None else []
    changes = tuple((path, shown(value)) for path, value in choice.changes.items())
    return ChoiceView(headline, TONES.get(choice.verdict, "look"), choice.reason, tuple(facts), changes)


def epochs_text(epochs: Sequence[int]) -> str:
    """E.g. `epochs 6, 7 and 8`."""
    if len(epochs) == 1:
        return f"epoch {epochs[0]}"
    return f"epochs {', '.join(map(str, epochs[:-1]))} and {epochs[-1]}"


def score_view(scores: Sequence[EpochScores], choice: Choice | None) -> ScoreView | None:
    """The scores as a table and as panels; None where there are none."""
    names = tuple(name for name in MEASURES if any(name in one.scores for one in scores))
    ordered = sorted((one for one in scores if one.scores), key=lambda one: (one.epoch, one.weight))
    if not names or not ordered:
        return None
    weights = sorted({one.weight for one in ordered if one.epoch != BASE_EPOCH})
    weight = _panel_weight(weights, choice)
    rows = tuple(
        ScoreRow(
            _label(one, weights), _mark(one, choice, weights), tuple(_cell(one.scores.get(name)) for name in names)
        )
        for one in ordered
    )
    at_weight = [one for one in ordered if one.weight == weight and one.epoch != BASE_EPOCH]
    panels = tuple(found for name in names if (found := panel(name, at_weight, choice)) is not None)
    return ScoreView(tuple(MEASURES[name] for name in names), rows, panels, weight, len(weights) > 1)


def _panel_weight(weights: Sequence[float], choice: Choice | None) -> float:
    """The chosen one; else the strongest up to 1, as a LoRA is trained."""
    chosen = None if choice is None else choice.weight
    if chosen is not None and chosen in weights:
        return chosen
    return max((one for one in weights if one <= 1), default=weights[0] if weights else 0.0)


def _label(one: EpochScores, weights: Sequence[float]) -> str:
    if one.epoch == BASE_EPOCH:
        return "base model"
    return f"epoch {one.epoch}" + (f", weight {one.weight:g}" if len(weights) > 1 else "")


def _mark(one: EpochScores, choice: Choice | None, weights: Sequence[float]) -> str:
    if choice is None or (len(weights) > 1 and choice.weight not in (None, one.weight)):
        return ""
    if one.epoch == choice.epoch:
        return "chosen"
    return "tied" if one.epoch in choice.tied else ""


def panel(name: MeasureName, scores: Sequence[EpochScores], choice: Choice | None) -> Panel | None:
    """One measure over the epochs, all at one weight; None where no epoch has it."""
    found = [(one, one.scores[name]) for one in scores if name in one.scores]
    if not found:
        return None
    down = Span(min(0.0, *(one.low for _, one in found)), max(0.0, *(one.high for _, one in found)))
    across = Span(found[0][0].epoch, found[-1][0].epoch)
    whiskers = tuple(
        Whisker(
            _x(across, one.epoch), _y(down, score.value), _y(down, score.low), _y(down, score.high),
            f"epoch {one.epoch}: {interval_text(score)}", _mark(one, choice, [one.weight]),
        )
        for one, score in found
    )  # fmt: skip
    every = max(1, -(-len(found) // 12))
    bottom = tuple(Tick(str(one.epoch), _x(across, one.epoch)) for one, _ in found[::every])
    left = tuple(Tick(tick.label, TOP + tick.percent / 100 * (HIGH - TOP - BOTTOM)) for tick in down.left_ticks())
    points = " ".join(f"{one.x:.1f},{one.y:.1f}" for one in whiskers)
    text = f"{MEASURES[name].title} by epoch. " + "; ".join(one.label for one in whiskers)
    return Panel(MEASURES[name], points, whiskers, left, bottom, text)


def interval_text(score: Interval) -> str:
    """A value and what bounds it."""
    return f"{number(score.value)} ({number(score.low)} to {number(score.high)})"


def _cell(score: Interval | None) -> tuple[str, str] | None:
    return None if score is None else (number(score.value), f"{number(score.low)} to {number(score.high)}")


def number(value: float) -> str:
    """With three digits that count, and a true minus."""
    text = f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 1000 else f"{value:.3g}"
    return "0.00" if text == "-0.00" else text.replace("-", "\u2212")


def _x(across: Span, epoch: int) -> float:
    share = 50.0 if across.lowest == across.highest else across.right(epoch)
    return LEFT + 8 + share / 100 * (WIDE - LEFT - RIGHT - 16)


def _y(down: Span, value: float) -> float:
    return TOP + down.down(value) / 100 * (HIGH - TOP - BOTTOM)

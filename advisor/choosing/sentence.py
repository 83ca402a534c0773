"""The choice in words, with its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from advisor.choosing.cells import Verdict
from advisor.choosing.pick import USUAL_WEIGHT, Pick
from advisor.choosing.resampling import Samples, interval
from advisor.choosing.standing import Standing

LITTLE, CLEARLY = 0.1, 0.3
"""A change of pictures without the trigger, as a share of that to another picture altogether: up to here little, from
here on clear to see."""
AS_WELL = 0.95
"""Obedience from here on is told as the base model's."""


@dataclass(frozen=True)
class Findings:
    """What the words say."""

    verdict: Verdict
    picked: Pick
    strongest: Standing
    """The epoch of most likeness."""
    burnt_from: int | None
    faults: Sequence[str]
    """What the taken epoch does that it must not."""
    epochs: int
    """Of the training."""
    is_uncalled: bool = False
    """Its captions lack the trigger."""


def reason(found: Findings) -> str:
    """One to three sentences: what was found, and what to do."""
    match found.verdict:
        case "good" | "tied":
            return f"{_epoch(found)}: {_account(found)}.{_no_better(found)}{_later(found)}"
        case "underfit":
            return (
                f"Underfit: the pictures of epoch {found.picked.taken.epoch} of {found.epochs} are only "
                f"{_figure(found.picked.taken.likeness)} like yours. Train longer, or raise the rate."
            )
        case "burnt":
            return (
                f"Burnt from epoch {found.burnt_from} of {found.epochs} on: lower the rate, or train fewer steps. "
                f"{_epoch(found, 'The least burnt is epoch')}: {_account(found)}."
            )
        case "no_trigger" if found.is_uncalled or found.strongest.unasked is None:
            return (
                f"The captions do not have the trigger, so that it calls nothing: put it into every caption. Pictures "
                f"are {_figure(found.strongest.likeness)} like yours where nobody else is described."
            )
        case "no_trigger":
            assert found.strongest.unasked is not None
            return (
                f"The trigger does little: without it pictures are {_figure(found.strongest.unasked)} like yours or "
                f"more, with it {_figure(found.strongest.likeness)}. Put it into every caption."
            )
        case "unsure":
            share = f"{found.picked.confidence:.0%}"
            return (
                f"The scores do not separate the epochs: epoch {found.picked.taken.epoch}, the likeliest, is as good "
                f"as the best in {share} of the resamples. More seeds tell more (--seeds)."
            )


def _epoch(found: Findings, begins: str = "Epoch") -> str:
    taken = found.picked.taken
    weight = "" if taken.weight == USUAL_WEIGHT else f" at weight {taken.weight:g}"
    return f"{begins} {taken.epoch} of {found.epochs}{weight}"


def _account(found: Findings) -> str:
    """What the taken epoch does, a part for each thing that was measured."""
    taken = found.picked.taken
    parts = [f"{_figure(taken.likeness)} like your pictures"]
    if taken.obedience is not None:
        parts.append(f"follows prompts {_obedience(taken.obedience[0])}")
    if taken.leak is not None:
        parts.append(f"changes pictures without the trigger {_leak(taken.leak[0])}")
    return ", ".join([*parts, *found.faults])


def _figure(samples: Samples) -> str:
    """`0.84 (0.78 to 0.89)`, without a minus before a zero."""
    found = interval(samples)
    value, low, high = (f"{round(number, 2) + 0.0:.2f}" for number in (found.value, found.low, found.high))
    return f"{value} ({low} to {high})"


def _obedience(value: float) -> str:
    return "as well as the base model" if value >= AS_WELL else f"{max(0.0, value):.2f} as well as the base model"


def _leak(value: float) -> str:
    if value <= LITTLE:
        return "little"
    return f"{'clearly' if value >= CLEARLY else 'somewhat'} ({value:.2f} of another picture altogether)"


def _no_better(found: Findings) -> str:
    others = [epoch for epoch in found.picked.tied if epoch != found.picked.taken.epoch]
    if not others:
        return ""
    return f" {_listed(others)} {'is' if len(others) == 1 else 'are'} no better."


def _later(found: Findings) -> str:
    return "" if found.burnt_from is None else f" From epoch {found.burnt_from} on it is burnt."


def _listed(epochs: Sequence[int]) -> str:
    """`7`, `7 and 8`, `7, 8 and 9`; more than three in a row as `7 to 10`."""
    if len(epochs) > 3 and epochs[-1] - epochs[0] == len(epochs) - 1:
        return f"{epochs[0]} to {epochs[-1]}"
    *first, last = map(str, epochs)
    return f"{', '.join(first)} and {last}" if first else last

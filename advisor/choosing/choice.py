"""The choice: which epoch to use at which weight, how sure that is, and what to train differently next."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from advisor.choosing import next_run
from advisor.choosing.averages import Averages
from advisor.choosing.cells import Choice, EpochScores, PictureScores, SettingValue, Verdict
from advisor.choosing.guards import faults
from advisor.choosing.pick import Pick, latest, pick, with_neighbours
from advisor.choosing.resampling import combined, interval
from advisor.choosing.sentence import Findings, reason
from advisor.choosing.standing import Standing, standings
from advisor.settings.config import TrainingConfig

LEAST_PICTURES = 4
"""Fewer with the trigger at each epoch have no interval to speak of."""
LEARNED = 1 / 3
"""A likeness under a third of the way from the base model's pictures to the set's: too little was learned."""
KEPT = 0.5
"""An epoch that keeps less than this of obedience and of what is drawn without the trigger is burnt."""
SURE_ENOUGH = 0.4
"""Under this the epoch to take is clearly more likely the wrong one than the right one, and none is named."""
UNASKED_SHARE = 0.5
"""A trigger without which more than this share of the likeness comes all the same does little."""
LEAST_CALLED = 0.5
"""A word that fewer of the captions have is no trigger."""


@dataclass(frozen=True)
class Chosen:
    """What follows from the pictures of a grid."""

    scores: tuple[EpochScores, ...]
    choice: Choice


def choose(
    pictures: Sequence[PictureScores],
    with_trigger: Collection[int],
    *,
    config: TrainingConfig | None = None,
    share_called: float | None = None,
) -> Chosen:
    """The scores of each epoch and weight, and the one to use.

    Args:
        pictures: what was measured, the base model's cells perhaps included.
        with_trigger: the numbers of the prompts that ask for the character; where none does, all are taken to.
        config: of the training; None: of a LoRA from elsewhere, for which no next run can be offered.
        share_called: the share of its captions, as they were trained, that have the trigger; None: not known.
    """
    averages = Averages.of(pictures, with_trigger)
    scores, found = averages.epoch_scores(), standings(averages)
    if not found or averages.num_pictures < LEAST_PICTURES:
        few = f"{averages.num_pictures} pictures with the trigger at each epoch tell too little: draw more (--seeds)"
        return Chosen(scores, _unsure(few))
    return Chosen(scores, _chosen(averages, found, config, share_called))


def _unsure(reason: str, confidence: float = 0.0) -> Choice:
    return Choice("unsure", None, None, (), None, None, confidence, reason)


def _chosen(
    averages: Averages, found: Sequence[Standing], config: TrainingConfig | None, share_called: float | None
) -> Choice:
    smoothed = with_neighbours(found)
    picked = pick(_sound(averages, smoothed))
    strongest = max(found, key=lambda one: one.likeness[0])
    burnt_from = _burnt_from(averages, [one for one in found if one.weight == picked.taken.weight])
    is_uncalled = share_called is not None and share_called < LEAST_CALLED
    verdict = _verdict(picked, strongest, burnt_from, is_uncalled=is_uncalled)
    if verdict == "underfit":
        picked = latest(smoothed, picked)
    epochs = max(one.epoch for one in found) if config is None else config.schedule.epochs
    findings = Findings(verdict, picked, strongest, burnt_from, faults(averages, picked.taken.key), epochs, is_uncalled)
    choice = Choice(
        verdict=verdict,
        epoch=picked.taken.epoch,
        weight=picked.taken.weight,
        tied=picked.tied,
        runner_up=picked.runner_up,
        burnt_from=burnt_from,
        confidence=picked.confidence,
        reason=reason(findings),
        changes={} if config is None else _changes(findings, config),
    )
    return replace(choice, epoch=None, weight=None) if verdict == "unsure" else choice


def _sound(averages: Averages, found: Sequence[Standing]) -> Sequence[Standing]:
    """Those without a fault, or all where each has one. What an epoch loses of what the base model can is counted in
    its worth already.
    """
    return [one for one in found if not faults(averages, one.key)] or found


def is_burnt(averages: Averages, one: Standing) -> bool:
    """Whether an epoch lost more of what the base model can than may be, or passes a guard's limit."""
    return one.kept[0] < KEPT or bool(faults(averages, one.key))


def _burnt_from(averages: Averages, found: Sequence[Standing]) -> int | None:
    """The first of the epochs, in order, from which on all are burnt."""
    burnt_from = None
    for one in reversed(found):
        if not is_burnt(averages, one):
            break
        burnt_from = one.epoch
    return burnt_from


def _verdict(picked: Pick, strongest: Standing, burnt_from: int | None, *, is_uncalled: bool) -> Verdict:
    """What is wrong first, the surest first: a burnt LoRA draws neither the character nor anything else."""
    has_learned = interval(strongest.likeness).low > 0
    if is_uncalled and has_learned:
        return "no_trigger"
    if burnt_from is not None and burnt_from <= picked.taken.epoch:
        return "burnt"
    if not has_learned or strongest.likeness[0] < LEARNED:
        return "underfit"
    if _comes_unasked(strongest):
        return "no_trigger"
    if picked.confidence < SURE_ENOUGH:
        return "unsure"
    return "tied" if len(picked.tied) > 1 else "good"


def _comes_unasked(one: Standing) -> bool:
    """Whether most of the likeness is there without the trigger too, whatever is asked for."""
    if one.unasked is None:
        return False
    gap = interval(combined(lambda without, like: without - UNASKED_SHARE * like, one.unasked, one.likeness))
    return gap.low > 0


def _changes(found: Findings, config: TrainingConfig) -> Mapping[str, SettingValue]:
    match found.verdict:
        case "burnt":
            return next_run.gentler(config, burnt_from=found.burnt_from or 1)
        case "underfit":
            return next_run.stronger(config, learned=found.strongest.likeness[0])
        case "no_trigger":
            return next_run.with_trigger(config)
        case _:
            return {}

"""Blind picks in words, beside the choice that was made by measuring."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.choosing.cells import Choice
from advisor.choosing.picks import Candidate, PickRanking
from advisor.units import counted


def picks_sentence(ranking: PickRanking, choice: Choice | None) -> str:
    """One or two sentences: whom the person took most, and whether the measured choice is the same."""
    number = counted(ranking.num_picks, "blind pick")
    favourite = ranking.favourite
    if favourite is None:
        return f"{number} so far: too few to tell which LoRA you like best; each must have been seen twice at least."
    several = len({one.candidate.weight for one in ranking.standings}) > 1
    share = next(one.share for one in ranking.standings if one.candidate == favourite)
    taken = (
        f"By {number} you like {candidate_text(favourite, several=several)} best: it is taken before another in "
        f"{share.value:.0%} of the cases ({share.low:.0%} to {share.high:.0%})"
    )
    if ranking.tied:
        taken += f"; {_listed(ranking.tied, several=several)} cannot be told from it"
    return f"{taken}. {_beside(favourite, ranking, choice)}".strip()


def candidate_text(candidate: Candidate, *, several: bool) -> str:
    """E.g. `epoch 6`, or `epoch 6 at weight 0.8`.

    Args:
        several: there are several weights.
    """
    return f"epoch {candidate.epoch}" + (f" at weight {candidate.weight:g}" if several else "")


def _beside(favourite: Candidate, ranking: PickRanking, choice: Choice | None) -> str:
    """How the measured choice stands to it; empty where there is none."""
    if choice is None:
        return ""
    if choice.epoch is None:
        return "Measuring does not separate the epochs."
    if choice.epoch == favourite.epoch:
        return "Measured, it is the one to take, too."
    if favourite.epoch in choice.tied:
        return f"Measured, epoch {choice.epoch} is the one to take, and yours is as good."
    if any(choice.epoch == one.epoch for one in ranking.tied):
        return f"Measured, epoch {choice.epoch} is the one to take, which your picks do not tell from it."
    return f"Measured, it is epoch {choice.epoch}: where they differ, believe your eyes."


def _listed(candidates: Sequence[Candidate], *, several: bool) -> str:
    *first, last = (candidate_text(one, several=several) for one in candidates)
    return f"{', '.join(first)} and {last}" if first else last

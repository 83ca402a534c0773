from __future__ import annotations

import pytest

from advisor.choosing.cells import Choice, Interval
from advisor.choosing.picks import Candidate, PickRanking, PickStanding
from advisor.choosing.picks_told import picks_sentence
from tests.support.report_runs import choice


def ranking(favourite: int | None = 5, tied: tuple[int, ...] = (), weights: tuple[float, ...] = (1.0,)) -> PickRanking:
    standings = tuple(
        PickStanding(Candidate(epoch, weight), Interval(0.7, 0.6, 0.8), 9) for epoch in (5, 6, 7) for weight in weights
    )
    return PickRanking(
        standings, None if favourite is None else Candidate(favourite, weights[0]),
        tuple(Candidate(epoch, weights[0]) for epoch in tied), 0.9, 24,
    )  # fmt: skip


def test_whom_the_person_likes_best_is_told_with_how_often() -> None:
    assert picks_sentence(ranking(tied=(6, 7)), None) == (
        "By 24 blind picks you like epoch 5 best: it is taken before another in 70% of the cases (60% to 80%); "
        "epoch 6 and epoch 7 cannot be told from it."
    )


@pytest.mark.parametrize(
    ("found", "measured", "end"),
    [
        (ranking(6), choice(), "Measured, it is the one to take, too."),
        (ranking(7), choice(), "Measured, epoch 6 is the one to take, and yours is as good."),
        (ranking(5, tied=(6,)), choice(), "which your picks do not tell from it."),
        (ranking(5), choice(), "Measured, it is epoch 6: where they differ, believe your eyes."),
        (ranking(5), choice(verdict="unsure", epoch=None), "Measuring does not separate the epochs."),
    ],
)
def test_the_measured_choice_is_told_beside_it(found: PickRanking, measured: Choice, end: str) -> None:
    assert picks_sentence(found, measured).endswith(end)


def test_of_several_weights_the_weight_is_told() -> None:
    assert "epoch 5 at weight 0.6 best" in picks_sentence(ranking(weights=(0.6, 1.0)), None)


def test_too_few_picks_name_nobody() -> None:
    assert "too few" in picks_sentence(ranking(None), choice())

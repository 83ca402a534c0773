"""What processes exchange; here they are threads, each with a group of its own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from advisor.errors import MemoryFacts, OutOfMemory, TrainingStopped
from tests.support.ranks import in_ranks
from trainer.ranks.group import RankGroup
from trainer.ranks.launch import card_of
from trainer.ranks.ranks import ALONE, Ranks, RanksEnded, Told, told_of


def with_gradients(*gradients: Tensor | None) -> list[Tensor]:
    """Parameters of two values that have these gradients."""
    parameters = [torch.zeros(2, requires_grad=True) for _ in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    return parameters


def test_gradients_and_losses_are_added_up_and_what_nobody_has_stays_away() -> None:
    given = [
        with_gradients(torch.tensor([1.0, 2.0]), None, None),
        with_gradients(torch.tensor([10.0, 20.0]), torch.tensor([3.0, 4.0]), None),
        with_gradients(None, None, None),
    ]

    losses = in_ranks(3, lambda ranks: ranks.sum_gradients(given[ranks.rank], torch.tensor(1.0 + ranks.rank)))

    assert [float(loss) for loss in losses] == [6.0, 6.0, 6.0]
    for parameters in given:
        found = [None if one.grad is None else one.grad.tolist() for one in parameters]
        assert found == [[11.0, 22.0], [3.0, 4.0], None]


def test_where_nothing_is_trained_the_loss_is_added_up_all_the_same() -> None:
    assert in_ranks(2, lambda ranks: float(ranks.sum_gradients([], torch.tensor(0.5)))) == [1.0, 1.0]


def test_all_get_what_the_first_makes_and_begin_with_its_weights() -> None:
    def work(ranks: Ranks) -> tuple[int, list[float]]:
        weights = [torch.full((2,), float(ranks.rank + 1)), torch.zeros(0)]
        ranks.as_first(weights)
        return ranks.from_first(lambda: ranks.rank), weights[0].tolist()

    assert in_ranks(2, work) == [(0, [1.0, 1.0])] * 2


def test_the_others_make_something_only_once_the_first_has() -> None:
    made = list[int]()

    in_ranks(3, lambda ranks: ranks.first_then_others(lambda: made.append(ranks.rank)))

    assert made[0] == 0
    assert sorted(made) == [0, 1, 2]


def test_who_fails_tells_the_others_wherever_they_meet_next() -> None:
    facts = MemoryFacts(phase="step", total_bytes=8)

    def work(ranks: Ranks) -> object:
        if ranks.rank == 1:
            assert isinstance(ranks, RankGroup)
            ranks.tell(told_of(OutOfMemory("no memory left", facts), "out_of_memory"))
            return None
        return ranks.from_first(lambda: 1)

    first, _, last = in_ranks(3, work)

    for ended in (first, last):
        assert isinstance(ended, RanksEnded)
        error = ended.error()
        assert isinstance(error, OutOfMemory)
        assert (str(error), error.facts) == ("no memory left", facts)


def test_who_is_gone_is_noticed_and_gradients_stay_as_they_were() -> None:
    parameters = with_gradients(torch.tensor([1.0, 2.0]))

    def work(ranks: Ranks) -> object:
        return None if ranks.is_first else ranks.sum_gradients(parameters, torch.tensor(0.0))

    ended = in_ranks(2, work)[1]

    assert isinstance(ended, RanksEnded)
    assert ended.told is None
    assert isinstance(ended.error(), TrainingStopped)
    assert parameters[0].grad is not None
    assert parameters[0].grad.tolist() == [1.0, 2.0]


def test_a_defect_elsewhere_is_a_defect_here_and_a_refusal_stops_the_training() -> None:
    assert isinstance(RanksEnded(told_of(ZeroDivisionError("x"), "defect")).error(), RuntimeError)
    assert isinstance(RanksEnded(Told("dataset", "a picture is gone")).error(), TrainingStopped)


def test_one_process_has_nobody_to_exchange_with() -> None:
    parameters, loss = with_gradients(torch.ones(2)), torch.tensor(2.0)

    assert ALONE.sum_gradients(parameters, loss) is loss
    assert ALONE.from_first(lambda: 3) == ALONE.first_then_others(lambda: 3) == 3


@pytest.mark.parametrize(("visible", "rank", "card"), [("", 1, "1"), ("GPU-a,GPU-b", 1, "GPU-b"), ("2,3", 0, "2")])
def test_each_process_sees_its_own_card(visible: str, rank: int, card: str) -> None:
    assert card_of(visible, rank) == card

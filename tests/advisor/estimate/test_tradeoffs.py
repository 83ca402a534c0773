from __future__ import annotations

from advisor.estimate.slowdown import Slowdown
from advisor.estimate.tradeoffs import BASE, CHECKPOINTING, OPTIMIZER_8BIT, SMALLER_IMAGES, SPLIT, TEXT_ENCODER


def test_harms_are_in_the_order_in_which_they_are_taken() -> None:
    row = (SPLIT, CHECKPOINTING, OPTIMIZER_8BIT, *BASE.values(), SMALLER_IMAGES, TEXT_ENCODER)

    assert [cost.harm for cost in row] == sorted(cost.harm for cost in row)


def test_what_is_told_has_the_result_and_the_time() -> None:
    assert CHECKPOINTING.summary(Slowdown(1.38, 1.38, 1.38)) == "the same result, and a step takes 38 % longer"

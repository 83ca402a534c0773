from __future__ import annotations

from advisor.estimate.tradeoffs import BASE, OPTIMIZER_8BIT, SPLIT, TEXT_ENCODER, checkpointing, smaller_pictures


def test_harms_are_in_the_order_in_which_they_are_taken() -> None:
    row = (SPLIT, checkpointing("sd1"), OPTIMIZER_8BIT, *BASE.values(), smaller_pictures(512, 448), TEXT_ENCODER)

    assert [cost.harm for cost in row] == sorted(cost.harm for cost in row)


def test_what_is_told_has_the_time_and_the_result() -> None:
    assert checkpointing("sd1").told == "the same result, 69 % slower"
    assert smaller_pictures(1024, 512).told == "smaller pictures show less detail, 75 % faster"
    assert OPTIMIZER_8BIT.told == "hardly visible, no slower"

from __future__ import annotations

from advisor.estimate.tradeoffs import BASE, OPTIMIZER_8BIT, SPLIT, TEXT_ENCODER, checkpointing, smaller_images


def test_harms_are_in_the_order_in_which_they_are_taken() -> None:
    row = (SPLIT, checkpointing("sd1"), OPTIMIZER_8BIT, *BASE.values(), smaller_images(512, 448), TEXT_ENCODER)

    assert [cost.harm for cost in row] == sorted(cost.harm for cost in row)


def test_what_is_told_has_the_time_and_the_result() -> None:
    assert checkpointing("sd1").summary == "the same result, 69 % slower"
    assert smaller_images(1024, 512).summary == "smaller pictures show less detail, 75 % faster"
    assert OPTIMIZER_8BIT.summary == "hardly visible, no slower"

from __future__ import annotations

import pytest

from advisor.machine.hardware import Gpu
from advisor.planning.card_of_run import CardNeeds, card_for
from advisor.units import GIB
from tests.support.factories import make_gpu

SMALL = make_gpu(8.0, uuid="GPU-0", index=0)
LARGE = make_gpu(24.0, uuid="GPU-1", index=1, name="NVIDIA GeForce RTX 3090")
OLD = make_gpu(16.0, uuid="GPU-2", index=2, name="Tesla T4", compute_capability=(7, 5))
TURING = make_gpu(6.0, uuid="GPU-3", index=3, name="NVIDIA GeForce GTX 1660", compute_capability=(7, 5))
CARDS = (SMALL, LARGE, OLD, TURING)
USUAL = CardNeeds("bfloat16", needed_bytes=6 * GIB)


def chosen(needs: CardNeeds, *busy: Gpu, cards: tuple[Gpu, ...] = CARDS, is_settled: bool = True) -> int | None:
    gpu = card_for(needs, cards, {one.uuid for one in busy}, is_settled=is_settled)
    return None if gpu is None else gpu.index


def full(gpu: Gpu, free_gib: float = 1.0) -> Gpu:
    return make_gpu(
        gpu.total_bytes / GIB, free_gib=free_gib, uuid=gpu.uuid, index=gpu.index,
        compute_capability=gpu.compute_capability,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("needs", "gpu", "why"),
    [
        (CardNeeds("bfloat16"), OLD, "it has no bfloat16, in which the run is planned"),
        (CardNeeds("float16"), OLD, ""),
        (CardNeeds("float16"), TURING, "it gives NaN in float16, in which the run is planned"),
        (CardNeeds("float32"), TURING, ""),
        (CardNeeds("bfloat16", needed_bytes=9 * GIB), SMALL, "it has 8.0 GiB, and the run needs about 9.0 GiB"),
        (CardNeeds("bfloat16", needed_bytes=9 * GIB), LARGE, ""),
        (CardNeeds("bfloat16", "GPU-0", needed_bytes=9 * GIB), SMALL, ""),
    ],
)
def test_a_card_that_cannot_compute_a_plan_is_not_given_it_but_the_planned_one_always_is(
    needs: CardNeeds, gpu: Gpu, why: str
) -> None:
    assert needs.why_not(gpu) == why


def test_the_planned_card_comes_first_then_the_smallest_that_has_room() -> None:
    assert chosen(USUAL) == 0
    assert chosen(CardNeeds("bfloat16", "GPU-1", 6 * GIB)) == 1
    assert chosen(CardNeeds("bfloat16", "GPU-1", 6 * GIB), LARGE) == 0
    assert chosen(CardNeeds("bfloat16", "GPU-9", 9 * GIB)) == 1
    assert chosen(CardNeeds("float32")) == 3


def test_where_all_that_can_train_it_are_busy_it_waits() -> None:
    assert chosen(USUAL, SMALL, LARGE) is None
    assert chosen(CardNeeds("bfloat16", needed_bytes=99 * GIB)) is None


def test_where_another_program_fills_the_idle_ones_it_waits_for_a_busy_one() -> None:
    assert chosen(USUAL, LARGE, cards=(full(SMALL), LARGE)) is None


def test_where_another_program_fills_all_it_goes_on_once_they_were_looked_at_for_a_while() -> None:
    cards = (full(SMALL, 2.0), full(LARGE, 3.0))

    assert chosen(USUAL, cards=cards, is_settled=False) is None
    assert chosen(USUAL, cards=cards) == 1
    assert chosen(CardNeeds("bfloat16", "GPU-0", 6 * GIB), cards=cards) == 0

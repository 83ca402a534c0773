from __future__ import annotations

import pytest

from advisor.machine.cards import CARDS
from advisor.units import GIB
from templates.skypilot.accelerators import ACCELERATORS, fitting
from tests.support.samples import sample_config

IN_OUR_TABLE = {
    "T4": "Tesla T4", "A10": "NVIDIA A10", "A10G": "NVIDIA A10G", "L4": "NVIDIA L4", "L40S": "NVIDIA L40S",
    "A40": "NVIDIA A40", "H100": "NVIDIA H100", "H200": "NVIDIA H200", "RTX3090": "NVIDIA GeForce RTX 3090",
    "RTX4090": "NVIDIA GeForce RTX 4090", "RTX5090": "NVIDIA GeForce RTX 5090", "RTX6000": "Quadro RTX 6000",
    "RTXA5000": "NVIDIA RTX A5000", "RTXA6000": "NVIDIA RTX A6000", "RTX6000-Ada": "NVIDIA RTX 6000 Ada",
}  # fmt: skip


def test_those_that_we_plan_for_by_name_have_what_stands_there() -> None:
    ours = {card.name: (card.memory_gib, card.compute_capability) for card in CARDS}
    theirs = {one.name: (one.memory_gib, one.compute_capability) for one in ACCELERATORS}

    assert {name: theirs[name] for name in IN_OUR_TABLE} == {name: ours[card] for name, card in IN_OUR_TABLE.items()}


def test_each_stands_there_once_the_smallest_first() -> None:
    assert len({one.name for one in ACCELERATORS}) == len(ACCELERATORS)
    assert [one.memory_gib for one in ACCELERATORS] == sorted(one.memory_gib for one in ACCELERATORS)


@pytest.mark.parametrize(
    ("dtype", "gib", "smallest"),
    [("bfloat16", 5.0, "RTX3070"), ("float16", 14.0, "T4"), ("bfloat16", 14.0, "A4000"), ("bfloat16", 23.0, "A30"),
     ("bfloat16", 100.0, "H200")],
)  # fmt: skip
def test_the_smallest_that_holds_it(dtype: str, gib: float, smallest: str) -> None:
    config = sample_config(memory={"compute_dtype": dtype, "base_dtype": dtype})

    assert fitting(config, round(gib * GIB))[0].name == smallest


def test_nothing_holds_what_is_larger_than_all() -> None:
    assert not fitting(sample_config(), 200 * GIB)

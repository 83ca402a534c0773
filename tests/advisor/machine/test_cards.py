from __future__ import annotations

import pytest

from advisor.errors import HardwareError
from advisor.machine.cards import CARDS, card_named
from advisor.units import GIB


@pytest.mark.parametrize(
    ("text", "short_name"),
    [
        ("4060", "RTX 4060 8GB"),
        ("rtx 4060 ti 16 gb", "RTX 4060 Ti 16GB"),
        ("4060Ti (8GB)", "RTX 4060 Ti 8GB"),
        ("RTX4070Ti SUPER", "RTX 4070 Ti SUPER 16GB"),
        ("2070s", "RTX 2070 SUPER 8GB"),
        ("4090 mobile", "RTX 4090 Laptop 16GB"),
        ("NVIDIA GeForce RTX 3060 Laptop GPU", "RTX 3060 Laptop 6GB"),
        ("A4000", "RTX A4000 16GB"),
        ("RTX 4000 Ada Generation", "RTX 4000 Ada 20GB"),
        ("NVIDIA A100-SXM4-80GB", "A100 80GB"),
        ("t4 16gb", "T4 15GB"),
        ("L40S 48 GB", "L40S 45GB"),
    ],
)
def test_a_card_is_known_by_the_names_that_people_and_drivers_use(text: str, short_name: str) -> None:
    assert card_named(text).short_name == short_name


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.short_name)
def test_each_card_is_found_by_its_short_name(card: object) -> None:
    assert [card_named(one.short_name) for one in CARDS if one is card] == [card]


def test_memory_chooses_between_cards_of_one_name() -> None:
    assert card_named("RTX 3060", total_bytes=8 * GIB).memory_gib == 8
    assert card_named("2080 Ti", total_bytes=22 * GIB).memory_gib == 11  # with more memory soldered on


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("RTX 3060", "write RTX 3060 12GB or RTX 3060 8GB"),
        ("RTX 4070 16GB", "RTX 4070 12GB is"),
        ("RTX 4099", "did you mean RTX 4090 24GB"),
        ("banana", "write it as RTX 3060 12GB"),
        ("", "--vram 8GiB"),
    ],
)
def test_what_is_no_card_or_several_is_told_with_what_is_near(text: str, told: str) -> None:
    with pytest.raises(HardwareError) as caught:
        card_named(text)

    assert told in str(caught.value)


def test_cards_of_one_generation_are_told_apart_by_what_they_can_do() -> None:
    gtx, rtx = card_named("GTX 1660").as_gpu(), card_named("RTX 2060 6GB").as_gpu()

    assert (gtx.has_broken_fp16, rtx.has_broken_fp16) == (True, False)
    assert gtx.compute_capability == rtx.compute_capability == (7, 5)
    assert gtx.free_bytes == 5.5 * GIB

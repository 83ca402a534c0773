"""How many operations a step starts on a card."""

from __future__ import annotations

import json

import pytest

from benchmarks.launches import MOST, PAGE, RESULTS, ours, page


@pytest.mark.parametrize("text", ["cached", "trained"])
def test_a_step_of_sd15_starts_at_most_four_thousand_operations(text: str) -> None:
    counted = ours("sd1", text=text)

    assert counted.operations <= MOST["sd1"]
    assert counted.casts <= 20


@pytest.mark.slow
def test_a_step_of_sdxl_starts_at_most_nine_thousand_operations() -> None:
    assert ours("sdxl").operations <= MOST["sdxl"]


def test_what_is_written_is_within_that_and_below_pefts() -> None:
    results = json.loads(RESULTS.read_text(encoding="utf-8"))["results"]

    for family, ways in results.items():
        assert ways["loracle"]["operations"] <= MOST[family]
        assert ways["loracle"]["operations"] < 0.6 * ways["peft"]["operations"]


def test_the_page_has_the_counts() -> None:
    assert PAGE.read_text("utf-8") == page(json.loads(RESULTS.read_text(encoding="utf-8")))

"""The committed table of predicted against counted memory."""

from __future__ import annotations

from benchmarks.memory_entries import entries
from benchmarks.memory_grid import rows
from benchmarks.memory_page import PAGE, page


def test_the_page_says_what_is_predicted_and_was_counted() -> None:
    assert PAGE.read_text("utf-8") == page(rows()), "python -m benchmarks.memory_grid --page"


def test_every_configuration_was_counted() -> None:
    assert [row.entry.name for row in rows()] == [entry.name for entry in entries()]

"""The prediction beside what others published: what it must meet, and that pages and constants are of today."""

from __future__ import annotations

import json

import pytest

from advisor.estimate.device_speed import CALL_SECONDS, TENSOR_SHARES
from advisor.families import family
from benchmarks import step_calls
from benchmarks.public_figures import RESULTS
from benchmarks.public_fit import WANTED_FACTOR, Compared, fit_cases, fitted, memory, summary, times
from benchmarks.public_page import TIME_PAGE, lines, time_page
from benchmarks.public_rows import MEMORY_ROWS, SOURCES, TIME_ROWS


@pytest.mark.parametrize("row", [row for row in times() if row.kind == "usual"], ids=lambda row: row.title)
def test_usual_cards_are_within_a_factor_of_what_others_report(row: Compared) -> None:
    assert 1 / WANTED_FACTOR <= row.ratio <= WANTED_FACTOR


def test_the_range_told_covers_nine_of_ten_also_where_the_source_is_left_out() -> None:
    usual = [row for row in times() if row.kind == "usual"]

    assert len(usual) >= 11
    assert summary("", usual).told >= 0.9
    assert summary("", usual, left_out=True).told >= 0.9


def test_what_is_alike_is_predicted_within_two_fifths_and_nothing_that_just_fits_a_card_is_beyond_it() -> None:
    found = memory()

    assert all(0.95 < row.ratio < 1.4 for row in found if row.kind == "alike")
    assert all(row.predicted < 1.4 * row.reported for row in found if row.kind == "bound")
    assert all(row.allocated < row.reported for row in found if row.kind == "keeps_more")


def test_the_constants_are_the_fitted_ones_rounded() -> None:
    found = fitted(fit_cases())

    assert round(found.call_seconds * 1e6) == round(CALL_SECONDS * 1e6)
    assert {since: round(share * 20) / 20 for since, share in found.shares.items()} == dict(TENSOR_SHARES)


def test_without_a_source_nothing_of_it_is_in_the_constants() -> None:
    assert all(case.row.source != "SimpleTuner" for case in fit_cases("SimpleTuner"))
    assert fitted(fit_cases("SimpleTuner")) != fitted(fit_cases())


def test_every_row_has_a_source_with_an_address() -> None:
    assert {row.source for row in MEMORY_ROWS} | {row.source for row in TIME_ROWS} == set(SOURCES)
    assert all(address.startswith("https://") for address in SOURCES.values())


def test_the_page_of_time_and_the_results_are_those_of_today() -> None:
    assert TIME_PAGE.read_text("utf-8") == time_page(times()), "python -m benchmarks.public_figures --page"
    kept = json.loads(RESULTS.read_text("utf-8"))
    assert [row["predicted"] for row in kept["time"]] == pytest.approx([row.predicted for row in times()])
    assert [row["predicted"] for row in kept["memory"]] == pytest.approx([row.predicted for row in memory()])


def test_every_row_is_printed_with_ratio_and_error() -> None:
    text = "\n".join(lines(memory(), times()))

    assert all(f"{row.ratio:7.2f}{row.ratio - 1:+7.0%}" in text for row in (*memory(), *times()))


@pytest.mark.parametrize("name", step_calls.FAMILIES)
def test_the_counts_of_calls_are_the_recorded_ones(name: str) -> None:
    known = family(name).call_coefficients

    assert known is not None
    for coefficients, checkpointing in ((known.plain, False), (known.checkpointed, True)):
        assert vars(coefficients) == step_calls.fitted(step_calls.results(), name, checkpointing=checkpointing)


@pytest.mark.slow
def test_the_calls_of_a_step_are_three_quarters_or_more_of_those_that_other_trainers_are_counted_with() -> None:
    """Those recorded are of layers that cast one by one: docs/decisions/0049-fewer-operations.md."""
    for case in step_calls.cases():
        if case["family"] == "sd1" and case["text"] != "encoded" and "kind" not in case:
            recorded = step_calls.calls_of(step_calls.results(), **case)
            assert 0.7 * recorded < step_calls.counted(case) < recorded

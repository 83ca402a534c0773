from __future__ import annotations

from advisor.run_folder.events import Finished, StepDone
from advisor.run_folder.plan_outline import Expected
from advisor.units import GIB
from templates.report.resources import Beside, resources

PLAN = Expected(
    allocated_bytes=5 * GIB, reserved_bytes=6 * GIB, vram_bytes=7 * GIB, seconds=600.0, seconds_low=300.0,
    seconds_high=1200.0, seconds_per_step=0.5,
)  # fmt: skip
END = Finished(
    seconds=900.0, seconds_per_step=0.75, peak_memory_bytes=4 * GIB, peak_reserved_bytes=6 * GIB, steps=100
)  # fmt: skip


def told(rows: tuple[Beside, ...]) -> list[tuple[str, str, str]]:
    return [(row.expected, row.measured, row.difference) for row in rows]


def test_each_figure_stands_beside_what_was_expected() -> None:
    assert told(resources([END], PLAN, on_card=True)) == [
        ("about 10 minutes (5 minutes to 20 minutes)", "15 minutes", "as expected"),
        ("0.50 s", "0.75 s", "50 % more"),
        ("about 5.0 GiB", "4.0 GiB", "20 % less"),
        ("about 6.0 GiB", "6.0 GiB", "as expected"),
    ]


def test_on_a_processor_the_memory_is_the_process_s() -> None:
    rows = resources([END], PLAN, on_card=False)

    assert [row.name for row in rows] == ["Time, all of it", "Time of a step", "Memory of the process"]
    assert rows[-1].expected == "about 7.0 GiB"


def test_what_is_outside_the_span_is_more_or_less() -> None:
    slow, fast = END.model_copy(update={"seconds": 1500.0}), END.model_copy(update={"seconds": 100.0})

    assert resources([slow], PLAN, on_card=True)[0].difference == "more than expected"
    assert resources([fast], PLAN, on_card=True)[0].difference == "less than expected"


def test_bars_show_both_within_the_track() -> None:
    for row in resources([END], PLAN, on_card=True):
        assert 0 < row.low <= row.high <= 100
        assert 0 < row.at < 100


def test_several_times_as_much_is_told_as_such() -> None:
    end = END.model_copy(update={"seconds_per_step": 1.5})

    assert resources([end], PLAN, on_card=True)[1].difference == "3.0 times"


def test_without_a_plan_only_what_was_measured_is_told() -> None:
    rows = resources([END], None, on_card=True)

    assert told(rows)[0] == ("not known", "15 minutes", "")
    assert all(row.high == 0 for row in rows)


def test_a_training_that_was_interrupted_has_the_memory_that_it_had() -> None:
    rows = resources([StepDone(step=1, memory_bytes=3 * GIB)], PLAN, on_card=True)

    assert rows[-1].measured == "3.0 GiB"
    assert rows[0].measured == "not known"


def test_nothing_trained_is_nothing_to_compare() -> None:
    assert resources([], PLAN, on_card=True) == ()

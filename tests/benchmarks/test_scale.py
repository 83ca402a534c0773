from __future__ import annotations

import pytest

from benchmarks.scale import DAY_SECONDS, PAGE, cards_needed, late_share, page


def test_the_page_is_what_the_plans_give_now() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


def test_who_finds_a_place_free_begins_at_once_and_who_does_not_waits() -> None:
    assert late_share([0.0, 1.0, 2.0], [9000.0] * 3, 3) == 0
    assert late_share([0.0, 1.0, 2.0], [9000.0] * 3, 1) == pytest.approx(2 / 3)


def test_a_day_of_work_needs_about_as_many_cards_as_it_has_hours_of_them() -> None:
    hours = 2.0
    least = 1000 * hours * 3600 / DAY_SECONDS

    assert least < cards_needed(hours * 3600) < 1.5 * least
    assert cards_needed(hours * 1800, cards_a_run=4) > cards_needed(hours * 3600)

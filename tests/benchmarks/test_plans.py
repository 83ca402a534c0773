from __future__ import annotations

from benchmarks.plans import CARDS_GB, END, FAMILIES, PAGE, README, START, facts_for, in_readme, table


def test_the_page_has_the_table_that_the_planner_makes_now() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert page.split(START)[1].split(END)[0].strip() == table()


def test_readme_has_it_too() -> None:
    readme = README.read_text(encoding="utf-8")

    assert readme.count(START) == readme.count(END) == 1
    assert readme == in_readme(readme)
    assert table() in readme


def test_there_is_a_plan_for_every_card_and_family() -> None:
    assert len(table().splitlines()) == 2 + len(CARDS_GB) * len(FAMILIES)
    assert facts_for("sdxl", 8).gpu is not None

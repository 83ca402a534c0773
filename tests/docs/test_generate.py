from __future__ import annotations

from collections.abc import Callable

import pytest

from advisor.rules import RULES
from advisor.settings.config import setting_paths
from docs.generate import FOLDER, architecture_page, rules_page, settings_page


@pytest.mark.parametrize(
    ("name", "page"), [("settings.md", settings_page), ("rules.md", rules_page), ("architecture.md", architecture_page)]
)
def test_a_page_is_what_the_code_says_now(name: str, page: Callable[[], str]) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == page(), "python -m docs.generate writes it anew"


def test_every_setting_has_a_row_with_its_meaning() -> None:
    rows = {row.split(" | ")[0].strip("| `"): row for row in settings_page().splitlines() if row.startswith("| `")}

    assert tuple(rows) == setting_paths()
    assert all(row.rstrip(" |").split(" | ")[-1] for row in rows.values())


def test_settings_show_choices_limits_and_defaults() -> None:
    page = settings_page()

    assert "| `network.rank` | whole number | 32 | from 1 to 512 | Inner width of each adapter" in page
    assert "| `loss.ema_decay` | number | 0.999 | from 0 and below 1 |" in page
    assert "| `network.kind` | `lora`, `locon`, `loha`, `lokr`, `dora` | lora |" in page
    assert "| `model.path` | text | needed |" in page


def test_every_rule_says_what_it_does_and_where_it_comes_from() -> None:
    for rule in RULES:
        assert rule.meaning.endswith("."), rule.sets
        assert f"| `{rule.sets}` | " in rules_page()
        assert rule.source.title in rules_page()


def test_the_table_has_a_column_for_each_kind_of_base() -> None:
    assert "| `rate` The denoiser's learning rate. | 1e-4 | 5e-4 |" in rules_page()


def test_every_folder_of_the_floors_stands_in_the_architecture() -> None:
    page = architecture_page()

    assert "| `rules/` | Rules of thumb: one setting, one source, one sentence for the user. |" in page
    assert "| `models/families/` | Model families, as code" in page
    assert "- `trainer`: `" in page

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from advisor.run_folder.layout import RunFolder
from templates.native.run_folder import write_run
from templates.report.side_by_side import SideRow, different_settings, labels, outcomes
from templates.report.told import Told
from tests.support.factories import make_facts, make_plan_for
from tests.support.report_runs import choice, write_grid, write_trained_run


def told(folder: Path, **given: Any) -> Told:
    return Told.of(RunFolder(write_trained_run(folder, **given)))


def by_name(rows: list[SideRow]) -> dict[str, tuple[str, ...]]:
    return {row.name: row.values for row in rows}


def test_only_settings_that_differ_are_told(tmp_path: Path) -> None:
    runs = [told(tmp_path / "a"), told(tmp_path / "b", settings={"network.rank": 16})]

    assert by_name(different_settings(runs)) == {"network.rank": ("32", "16"), "network.alpha": ("16", "8")}


def test_runs_of_the_same_plan_differ_in_nothing(tmp_path: Path) -> None:
    assert different_settings([told(tmp_path / "a"), told(tmp_path / "b")]) == []


def test_what_was_edited_after_planning_counts_and_what_the_memory_ladder_did(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_run(tmp_path / name, make_facts(), make_plan_for())
    config = tmp_path / "a" / "loracle.toml"
    config.write_text(config.read_text("utf-8").replace("\nrank = 32", "\nrank = 24"), "utf-8")
    plan = json.loads((tmp_path / "b" / "plan.json").read_text("utf-8"))
    for decision in plan["decisions"]:
        if decision["path"] == "memory.gradient_checkpointing":
            decision.update(value=True, planned=False, origin="ladder")
    (tmp_path / "b" / "plan.json").write_text(json.dumps(plan), "utf-8")

    rows = different_settings([Told.of(RunFolder(tmp_path / name)) for name in ("a", "b")])

    assert by_name(rows) == {"network.rank": ("24", "32"), "memory.gradient_checkpointing": ("off", "on")}


def test_what_came_of_each_is_told_and_what_is_known_of_none_is_not(tmp_path: Path) -> None:
    for name, chosen in (("a", choice()), ("b", choice(verdict="unsure", epoch=None, weight=None, tied=()))):
        write_grid(write_trained_run(tmp_path / name), epochs=7, seeds=(1,), chosen=chosen)

    found = by_name(outcomes([Told.of(RunFolder(tmp_path / name)) for name in ("a", "b")]))

    assert found["epoch to use"] == (
        "Take epoch 6 (92% sure; epoch 7 as good)", "The scores do not tell the epochs apart (92% sure)",
    )  # fmt: skip
    assert found["likeness \u2191"] == ("0.40 (0.35 to 0.45)", "\u2013")
    assert found["time"] == ("8 minutes", "8 minutes")
    assert found["memory"] == ("5.9 GiB", "5.9 GiB")
    assert found["loss on held-out pictures"] == ("0.1000 after epoch 6", "0.1000 after epoch 6")
    assert "memory ran out" not in found
    assert "variety \u2191" not in found


def test_runs_are_called_by_their_lora_or_where_that_is_the_same_by_their_folder(tmp_path: Path) -> None:
    a, b = told(tmp_path / "one"), told(tmp_path / "two")
    other, deep = told(tmp_path / "three", name="zuvi"), told(tmp_path / "deep" / "one")

    assert labels([a, other]) == ("mira", "zuvi")
    assert labels([a, b]) == ("one", "two")
    assert labels([a, deep]) == ("1 one", "2 one")

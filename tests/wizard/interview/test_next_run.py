from __future__ import annotations

from pathlib import Path

import pytest

from advisor.choosing.next_run import gentler
from advisor.planning.planner import make_plan
from advisor.run_folder.layout import RunFolder
from advisor.settings.config import TrainingConfig, blank_config, flat_settings, with_values
from templates.native.run_folder import write_run
from tests.support.scripted import ScriptedAsk, default
from wizard.commands.demo import demo_facts
from wizard.interview.next_run import changes_text, next_run_place, wants_next_run, write_next_run

CHANGES = {"optimizer.learning_rate": 2e-3, "schedule.epochs": 5}


def trained() -> TrainingConfig:
    return with_values(blank_config(), {"optimizer.learning_rate": 4e-3, "schedule.epochs": 10})


def test_what_changes_is_told_beside_what_it_was() -> None:
    assert changes_text(trained(), CHANGES) == "optimizer.learning_rate 2e-3 (was 4e-3), schedule.epochs 5 (was 10)"


@pytest.mark.parametrize(("answer", "wanted"), [(default, True), ("no", False)])
def test_the_next_run_is_planned_after_a_yes_alone(answer: str, wanted: bool) -> None:
    ask = ScriptedAsk(answer)

    assert wants_next_run(ask, trained(), CHANGES, Path("runs/mia-2")) is wanted
    assert ask.asked[0].options[0].title == "Yes, as mia-2"


def test_the_next_run_lies_beside_this_one(tmp_path: Path) -> None:
    run = tmp_path / "mia"
    run.mkdir()

    assert next_run_place(run) == tmp_path / "mia-2"
    (tmp_path / "mia-2").mkdir()
    assert next_run_place(run) == tmp_path / "mia-3"


def test_the_next_plan_differs_in_its_name_and_what_is_changed(tmp_path: Path) -> None:
    """The demo's preset chooses rates itself, so that all of them are changed."""
    run, place = tmp_path / "zuvi", tmp_path / "zuvi-2"
    facts = demo_facts(run)
    write_run(run, facts, make_plan(facts))
    config = RunFolder(run).read_config()
    changes = {**gentler(config, burnt_from=5), "dataset.prepend_trigger": True}

    write_next_run(run, place, changes)

    before, after = dict(flat_settings(config)), dict(flat_settings(RunFolder(place).read_config()))
    changed = {path: value for path, value in after.items() if value != before[path]}
    assert changed == {**changes, "saving.name": "zuvi-2"}
    assert after["optimizer.learning_rate"] == before["optimizer.learning_rate"] / 2

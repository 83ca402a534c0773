from __future__ import annotations

import json

import pytest

from advisor.facts import Facts
from advisor.plan import Plan
from advisor.planning import compare
from advisor.planning.compare import difference, difference_document, profiles, profiles_document, with_settings
from advisor.planning.planner import make_plan
from tests.support.factories import make_facts


def test_profiles_differ_in_what_they_advise_and_both_say_why() -> None:
    found = profiles(make_facts())
    rows = {one.path: one for one in found.settings}

    assert (rows["network.rank"].before.value, rows["network.rank"].after.value) == (32, 16)
    assert rows["network.rank"].before.source != rows["network.rank"].after.source
    assert all(one.before.value != one.after.value for one in found.settings)
    assert "run.advice" not in rows
    assert "schedule.batch_size" not in rows


def test_which_advice_was_asked_for_makes_no_odds() -> None:
    assert profiles(make_facts(advice="current")).settings == profiles(make_facts()).settings


def test_a_choice_is_told_from_what_followed() -> None:
    without = make_facts()
    facts = with_settings(without, {"network.rank": 48})
    found = difference(facts, make_plan(without), make_plan(facts))

    assert {one.path: one.is_chosen for one in found.settings} == {"network.rank": True, "network.alpha": False}
    assert found.after.estimate.lora_bytes > found.before.estimate.lora_bytes


def test_what_was_chosen_already_stays_in_both() -> None:
    without = make_facts(settings={"network.rank": 64})
    facts = with_settings(without, {"network.rank": 64, "dataset.flip": True})
    found = difference(facts, make_plan(without), make_plan(facts))

    assert found.before.config.network.rank == found.after.config.network.rank == 64


@pytest.mark.parametrize(("batch_size", "fits"), [("2", True), ("200", False)])
def test_the_document_says_whether_it_still_fits(batch_size: str, fits: bool) -> None:
    without = make_facts()
    facts = with_settings(without, {"schedule.batch_size": batch_size, "dataset.resolution_px": 1024})
    document = json.loads(json.dumps(difference_document(difference(facts, make_plan(without), make_plan(facts)))))

    assert document["before"]["fits"] is True
    assert document["after"]["fits"] is fits
    assert {row["path"] for row in document["settings"]} >= {"schedule.batch_size", "dataset.resolution_px"}


def test_both_plans_are_in_one_document() -> None:
    facts = make_facts()
    document = json.loads(json.dumps(profiles_document(facts, profiles(facts))))

    assert document["tutorial"]["config"]["run"]["advice"] == "tutorial"
    assert document["current"]["config"]["run"]["advice"] == "current"
    rank = next(row for row in document["differences"] if row["path"] == "network.rank")
    assert (rank["tutorial"]["value"], rank["current"]["value"]) == (32, 16)
    assert rank["current"]["source"]["url"].startswith("https://")


@pytest.mark.parametrize("advice", ["tutorial", "current"])
def test_a_plan_that_is_there_already_is_not_made_again(advice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = make_facts(advice=advice)
    plan, planned = make_plan(facts), list[Facts]()

    def counted(case: Facts) -> Plan:
        planned.append(case)
        return make_plan(case)

    monkeypatch.setattr(compare, "make_plan", counted)
    found = profiles(facts, plan)

    assert [case.answers.advice for case in planned] == [{"tutorial": "current", "current": "tutorial"}[advice]]
    assert found == profiles(facts)

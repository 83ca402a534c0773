from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from advisor.errors import RunError
from advisor.planning.document import plan_document
from advisor.planning.planner import make_plan
from advisor.run_folder.ladder_file import Taken
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.plan_record import PlanRecord, plan_text
from advisor.settings.config import NamedFolder
from tests.support.factories import make_facts

RUNG = Taken(
    rung="checkpointing", before={"memory.gradient_checkpointing": False}, message="checkpointing on",
    after={"memory.gradient_checkpointing": True},
)  # fmt: skip


def chosen(path: str, recorded: Any, now: Any, **more: Any) -> bool:
    document = {"decisions": [{"path": path, "value": recorded, "origin": "rule", **more}]}
    return path in PlanRecord.of(document).chosen_paths({path: now})


def run_with(folder: Path, document: Any) -> RunFolder:
    (folder / "plan.json").write_text(json.dumps(document), "utf-8")
    return RunFolder(folder)


@pytest.mark.parametrize(
    ("path", "planned", "now"),
    [
        ("network.rank", 32, 16),
        ("memory.base_dtype", "int8", "bfloat16"),
        ("sampling.prompts", ["a tok"], ("a tok", "two of tok")),
        ("optimizer.arguments", [], ("eps=1e-7",)),
        ("network.start_from", None, "../other/tok.safetensors"),
        ("model.vae_path", "vae.safetensors", None),
        ("dataset.folders", [], (NamedFolder(path="sub", repeats=3),)),
    ],
)
def test_what_was_changed_by_hand_is_chosen(path: str, planned: Any, now: Any) -> None:
    assert chosen(path, planned, now)
    assert not chosen(path, planned, tuple(planned) if isinstance(planned, list) else planned)


def test_what_the_ladder_or_a_run_folder_writes_is_nobodys_choice() -> None:
    assert not chosen("memory.base_dtype", "int8", "bfloat16", planned="bfloat16", planned_origin="rule")
    assert not chosen("dataset.images", "pictures", "/home/me/pictures")


def test_what_the_ladder_changed_of_a_choice_stays_the_users() -> None:
    assert chosen("schedule.batch_size", 2, 2, origin="ladder", planned=4, planned_origin="answer")


def test_a_plan_is_read_back_and_written_again_to_the_same_bytes(tmp_path: Path) -> None:
    facts = make_facts(trigger="mira")
    run = RunFolder(tmp_path)
    run.plan.write_text(plan_text(plan_document(facts, make_plan(facts))), "utf-8", newline="\n")
    before = run.plan.read_bytes()

    record = run.read_plan()
    run.write_plan(record)

    assert record.fields.config.run.trigger == "mira"
    assert record.fields.estimate is not None
    assert any(one.path == "network.rank" and one.value == 32 for one in record.fields.decisions)
    assert run.plan.read_bytes() == before


def test_an_edited_record_is_kept_beside_where_a_rung_changes_it(tmp_path: Path) -> None:
    facts = make_facts(trigger="mira")
    run = RunFolder(tmp_path)
    edited = plan_text(plan_document(facts, make_plan(facts))).replace("\n", "\r\n").encode("utf-8")
    run.plan.write_bytes(edited)

    run.write_plan(run.read_plan().with_rung(RUNG))
    run.write_plan(run.read_plan())

    assert [path.name for path in tmp_path.glob("*.bak*")] == ["plan.json.bak"]
    assert (tmp_path / "plan.json.bak").read_bytes() == edited
    assert len(json.loads(run.plan.read_text("utf-8"))["ladder"]) == 1


def test_a_plan_of_an_older_and_one_of_a_newer_version_are_read(tmp_path: Path) -> None:
    older = {"decisions": [{"path": "network.rank", "value": 8}], "warnings": [], "estimate": None}
    newer = older | {"choice": {"epoch": 3}, "decisions": [{"path": "network.rank", "value": 8, "confidence": 0.5}]}

    for document in (older, newer):
        (decision,) = run_with(tmp_path, document).read_plan().fields.decisions
        assert (decision.path, decision.value, decision.first_value) == ("network.rank", 8, 8)


def test_what_is_not_read_of_a_plan_is_kept_where_a_rung_changes_it(tmp_path: Path) -> None:
    decision = {"path": "memory.gradient_checkpointing", "value": False, "reason": "r", "origin": "rule", "grade": 1}
    run = run_with(tmp_path, {"new": {"deep": [1]}, "decisions": [decision], "last": None})

    run.write_plan(run.read_plan().with_rung(RUNG))

    written = json.loads(run.plan.read_text("utf-8"))
    assert list(written) == ["new", "decisions", "last", "ladder"]
    assert written["new"] == {"deep": [1]}
    assert written["decisions"] == [
        {
            **decision, "value": True, "reason": "memory ran out: checkpointing on", "origin": "ladder",
            "planned": False, "planned_origin": "rule",
        }
    ]  # fmt: skip
    assert written["ladder"] == [RUNG.model_dump()]


def test_a_second_rung_keeps_the_value_that_was_planned_first() -> None:
    document = {"decisions": [{"path": "schedule.batch_size", "value": 4, "origin": "answer"}]}

    def rung(value: int) -> Taken:
        return Taken(rung="x", before={}, after={"schedule.batch_size": value}, message="m")

    (decision,) = PlanRecord.of(document).with_rung(rung(2)).with_rung(rung(1)).fields.decisions
    assert (decision.value, decision.first_value, decision.first_origin) == (1, 4, "answer")


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ('{"decisions": [{"path": "a.b"}, {"value": 1}]}', r"decisions\.1\.path"),
        ('{"config": {"saving": {"name": 5}}}', r"config\.saving\.name"),
        ('{"decisions": ', "not JSON: .* at character 14"),
        ("[]", "the whole"),
        ('{"ladder": 5}', "ladder"),
        ('{"ladder": [5]}', r"ladder\.0"),
        ('{"estimate": {"disk_bytes": 1e30}}', r"estimate\.disk_bytes"),
        ('{"warnings": NaN}', "NaN"),
        ('{"config": {}, "config": {}}', "names 'config' twice"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_damaged_plan_is_named_with_the_place_and_the_mend(tmp_path: Path, content: str, place: str) -> None:
    run = RunFolder(tmp_path)
    run.plan.write_text(content, "utf-8")

    with pytest.raises(RunError, match=rf"plan\.json is damaged \(.*{place}.*: plan the run again"):
        run.read_plan()
    assert run.known_plan() is None


def test_a_folder_without_a_plan_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"has no plan\.json to read .*is it a run folder"):
        RunFolder(tmp_path).read_plan()
    assert RunFolder(tmp_path).known_plan() is None
    with pytest.raises(RunError, match="no run does not exist: give a run folder"):
        RunFolder(tmp_path / "no run").read_plan()


def test_names_of_files_in_an_old_encoding_come_through(tmp_path: Path) -> None:
    run = run_with(tmp_path, {"decisions": [{"path": "model.path", "value": "fox\udce4", "reason": "it is fox\udce4"}]})

    run.write_plan(run.read_plan())

    (decision,) = run.read_plan().fields.decisions
    assert (decision.value, decision.reason) == ("fox\udce4", "it is fox\udce4")

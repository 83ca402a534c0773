"""`plan RUN` of a run that was made before some settings existed."""

from __future__ import annotations

import json
import re
from pathlib import Path

from advisor.planning.planner import make_plan
from advisor.run_folder.plan_record import plan_text
from templates.native.run_folder import write_run
from tests.support.factories import make_facts
from wizard.interview.planned_run import choices_of


def planned_before(run: Path, kind: str) -> Path:
    """A run of that kind of adapter, as it was written without `network.dora_axis`."""
    facts = make_facts(settings={"network.kind": kind})
    write_run(run, facts, make_plan(facts))
    text = (run / "loracle.toml").read_text("utf-8")
    shorter = re.sub(r"(?:# [^\n]*\n)+dora_axis = [^\n]*\n\n?", "", text)
    shorter = re.sub(r"# Liu et al\. 2024, DoRA: [^)]*\)\n", "", shorter)  # the source of that setting's rule
    assert shorter.count("\n") < text.count("\n") - 2
    (run / "loracle.toml").write_text(shorter, "utf-8")
    document = json.loads((run / "plan.json").read_text("utf-8"))
    document["decisions"] = [one for one in document["decisions"] if one["path"] != "network.dora_axis"]
    del document["config"]["network"]["dora_axis"]
    (run / "plan.json").write_text(plan_text(document), "utf-8")
    return run


def test_a_dora_of_before_keeps_its_axis(tmp_path: Path) -> None:
    assert choices_of(planned_before(tmp_path / "run", "dora")) == {
        "network.kind": "dora",
        "network.dora_axis": "output",
    }


def test_another_kind_brings_no_axis(tmp_path: Path) -> None:
    assert choices_of(planned_before(tmp_path / "run", "lokr")) == {"network.kind": "lokr"}


def test_a_run_of_before_is_known_to_be_as_it_was_written(tmp_path: Path) -> None:
    run = planned_before(tmp_path / "run", "dora")
    (run / "log" / "written.json").unlink(missing_ok=True)
    facts = make_facts(settings={"network.kind": "lora"})

    assert write_run(run, facts, make_plan(facts)) == ()

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from advisor.planning.planner import make_plan
from templates.exporters import EXPORTERS
from templates.native.loracle_toml import render_config
from templates.native.run_folder import write_run
from templates.native.schema import schema_file, schema_text, schema_uri
from tests.support.export_strategies import plan_of
from tests.support.factories import make_facts
from tests.support.samples import sample_config
from wizard.app import TRAINERS


def test_the_shipped_schema_is_that_of_the_settings() -> None:
    assert schema_file().read_text("utf-8") == schema_text(), "python -m templates.native.schema writes it anew"


def test_every_setting_is_described_for_editors() -> None:
    tree = json.loads(schema_text())

    groups = [tree["$defs"][group["$ref"].rpartition("/")[2]] for group in _refs(tree)]
    assert len(groups) == len(tree["properties"])
    assert all(setting.get("description") for group in groups for setting in group["properties"].values())


def _refs(tree: dict[str, dict[str, dict[str, object]]]) -> list[dict[str, str]]:
    return [{"$ref": str(group.get("$ref") or "")} for group in tree["properties"].values()]


def test_a_run_names_the_schema_at_its_top_and_stays_valid() -> None:
    text = render_config(plan_of(sample_config()), schema=schema_uri())

    assert text.startswith("#:schema file://")
    assert tomllib.loads(text) == tomllib.loads(render_config(plan_of(sample_config())))


def test_a_written_run_names_it(tmp_path: Path) -> None:
    facts = make_facts()
    write_run(tmp_path / "run", facts, make_plan(facts))

    first = (tmp_path / "run" / "loracle.toml").read_text("utf-8").splitlines()[0]
    assert first == f"#:schema {schema_uri()}"


def test_the_help_names_every_exporter() -> None:
    assert TRAINERS.split("|") == list(EXPORTERS)

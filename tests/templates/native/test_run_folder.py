from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from advisor.answers import Answers
from advisor.errors import RunError
from advisor.facts import Facts
from advisor.plan import Plan
from advisor.planning.planner import make_plan
from advisor.run_folder.config_file import read_config
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import writing
from advisor.run_folder.write_over import Occupied
from advisor.settings.config import changed
from templates.native.run_folder import next_free_run, placed_in, render_answers, write_run
from tests.support.export_strategies import answers, plan_of
from tests.support.factories import make_facts
from tests.templates.native.test_loracle_toml import a_config


@pytest.fixture
def facts() -> Facts:
    return make_facts()


@pytest.fixture
def plan(facts: Facts) -> Plan:
    return make_plan(facts)


def test_a_run_reads_back_as_the_plan_it_was_written_from(tmp_path: Path, facts: Facts, plan: Plan) -> None:
    write_run(tmp_path / "run", facts, plan)

    assert read_config(tmp_path / "run") == placed_in(tmp_path / "run", plan).config
    assert RunFolder(tmp_path / "run").read_answers() == facts.answers
    assert json.loads((tmp_path / "run" / "plan.json").read_text("utf-8"))["config"]["network"]["rank"] == 32
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "answers.toml", "images", "log", "loracle.toml", "plan.json",
    ]  # fmt: skip
    assert [path.name for path in (tmp_path / "run" / "log").iterdir()] == ["written.json"]


def test_a_run_that_has_not_trained_is_written_anew(tmp_path: Path, facts: Facts, plan: Plan) -> None:
    write_run(tmp_path, facts, plan)

    write_run(tmp_path, facts, plan)


@pytest.mark.parametrize("name", ["model", "state"])
def test_a_run_that_has_trained_is_never_written_over(tmp_path: Path, facts: Facts, plan: Plan, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "a.safetensors").write_bytes(b"")

    for overwrite in (False, True):
        with pytest.raises(RunError, match=r"has trained already .*: choose another folder$"):
            write_run(tmp_path, facts, plan, overwrite=overwrite)
    assert not (tmp_path / "loracle.toml").exists()


def test_a_file_is_no_run(tmp_path: Path, facts: Facts, plan: Plan) -> None:
    (tmp_path / "run").write_text("")

    with pytest.raises(RunError, match="is a file"):
        write_run(tmp_path / "run", facts, plan)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="rights do not bind the administrator")
def test_a_read_only_folder_is_told(tmp_path: Path, facts: Facts, plan: Plan) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(RunError, match="cannot be written"):
            write_run(tmp_path / "run", facts, plan)
    finally:
        tmp_path.chmod(0o700)


def test_a_relative_path_is_taken_from_where_the_user_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = a_config()
    config = config.model_copy(
        update={"model": config.model.model_copy(update={"path": "base.safetensors", "vae_path": "vae.safetensors"})}
    )

    placed = placed_in(Path("runs/fox"), plan_of(config))

    assert placed.config.model.path == str(tmp_path / "base.safetensors")
    assert placed.config.model.vae_path == "../../vae.safetensors"
    assert placed.by_path["model.vae_path"].value == "../../vae.safetensors"


@given(answers)
def test_answers_read_back_equal(given_answers: Answers) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "answers.toml").write_text(render_answers(given_answers), "utf-8", newline="\n")

        assert RunFolder(Path(folder)).read_answers() == given_answers


def test_settings_that_were_recorded_as_typed_are_read(tmp_path: Path) -> None:
    (tmp_path / "answers.toml").write_text(
        'name = "fox"\n[settings]\n"network.rank" = "48"\n"model.vae_path" = "none"\n"dataset.flip" = true\n', "utf-8"
    )

    assert RunFolder(tmp_path).read_answers().settings == {
        "network.rank": 48,
        "model.vae_path": None,
        "dataset.flip": True,
    }


def test_a_recorded_setting_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "answers.toml").write_text('name = "fox"\n[settings]\n"network.rank" = "many"\n', "utf-8")

    with pytest.raises(RunError, match=r"answers\.toml.*network\.rank"):
        RunFolder(tmp_path).read_answers()


@pytest.mark.parametrize("text", [b"\xff", b"name = ", b"name = 1\nold = 2\n", b"name = 'a/b'\n"])
def test_damaged_answers_are_told(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "answers.toml").write_bytes(text)

    with pytest.raises(RunError, match=r"answers\.toml"):
        RunFolder(tmp_path).read_answers()


def test_missing_answers_are_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="loracle new"):
        RunFolder(tmp_path).read_answers()


def test_a_taken_name_is_numbered(tmp_path: Path) -> None:
    assert next_free_run("fox", tmp_path) == tmp_path / "fox"
    (tmp_path / "fox").mkdir()
    (tmp_path / "fox-2").write_text("")

    assert next_free_run("fox", tmp_path) == tmp_path / "fox-3"


def test_a_name_that_is_no_folder_name_becomes_one(tmp_path: Path) -> None:
    assert next_free_run("..", tmp_path) == tmp_path / "lora"
    assert next_free_run("fox. ", tmp_path) == tmp_path / "fox"


def test_a_plan_that_another_command_saves_in_the_same_moment_stays(
    tmp_path: Path, facts: Facts, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, real = tmp_path / "run", writing

    @contextmanager
    def after_another(*arguments: Any) -> Iterator[None]:
        """Gets the lock once another command has had it."""
        monkeypatch.setattr("templates.native.run_folder.writing", real)
        write_run(run, facts, replace(plan, config=changed(plan.config, "saving.name", "other")))
        with real(*arguments):
            yield

    monkeypatch.setattr("templates.native.run_folder.writing", after_another)
    with pytest.raises(Occupied, match="holds another plan"):
        write_run(run, facts, plan)

    assert read_config(run).saving.name == "other"

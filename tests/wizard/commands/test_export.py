"""Exporting as a user meets it: from a run whose path holds whatever paths can hold."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from advisor.planning.planner import make_plan
from advisor.run_folder.export_lock import exporting
from advisor.run_folder.lock import RunInUse
from templates.native.loracle_toml import render_config
from templates.native.run_folder import write_run
from tests.support.factories import make_facts, make_plan_for
from tests.support.vocabularies import OF_STABLE_DIFFUSION
from wizard.commands.export import export

RUN_NAMES = ("Füchse 🦊 (2)", "it's $HOME `id`") if sys.platform != "win32" else ("Füchse 🦊 (2)", "it's $HOME")
MAIN_FILES = {"sd-scripts": "train.sh", "onetrainer": "config.json", "ai-toolkit": "job.yaml"}


@pytest.fixture(params=RUN_NAMES)
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / str(request.param)
    folder.mkdir()
    chosen = {"schedule.max_steps": "100", "network.kind": "lora"}
    (folder / "loracle.toml").write_text(render_config(make_plan_for(settings=chosen)), "utf-8")
    return folder


def commands(told: str) -> list[str]:
    return [line.strip() for line in told.splitlines() if line.startswith(("  sh ", "  python "))]


@pytest.mark.skipif(sys.platform == "win32", reason="looks at what a POSIX shell makes of it")
@pytest.mark.parametrize("name", MAIN_FILES)
def test_the_line_to_paste_leads_a_shell_to_the_file(
    name: str, run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    export(run, to=name)

    (line,) = commands(capsys.readouterr().err)
    words = ["sh", "-c", f'python() {{ printf "%s" "$*"; }}; {line.replace("sh ", "printf %s ", 1)}']
    told = subprocess.run(words, capture_output=True, check=True).stdout.decode()
    assert told.endswith(str(run / "exports" / name / MAIN_FILES[name]))
    assert (run / "exports" / name / MAIN_FILES[name]).is_file()


@pytest.mark.parametrize("name", OF_STABLE_DIFFUSION)
def test_sentences_fit_the_terminal_and_paths_stay_whole(
    name: str, run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    export(run, to=name)

    lines = capsys.readouterr().err.splitlines()
    assert any(line.startswith("  ") and str(run.absolute()) in line.replace("'\"'\"'", "'") for line in lines)
    longest = [line for line in lines if not line.startswith("  ") and len(line) > 80]
    assert all(max(map(len, shlex.split(line.replace("'", "")))) > 60 for line in longest), longest


@pytest.mark.parametrize("name", OF_STABLE_DIFFUSION)
def test_prompts_that_only_a_rule_proposed_are_exported_on_request(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = make_facts(settings={"schedule.max_steps": "1500"})
    plan = make_plan(facts)
    write_run(tmp_path / "run", facts, plan)
    assert len(plan.config.sampling.prompts) == 4

    export(tmp_path / "run", to=name)
    without = texts_of(tmp_path / "run")
    told = " ".join(capsys.readouterr().err.split())
    export(tmp_path / "run", to=name, with_prompts=True)

    assert "raincoat" not in without
    assert "--with-prompts writes them too" in told
    assert "raincoat" in texts_of(tmp_path / "run")
    assert "--with-prompts" not in capsys.readouterr().err


@pytest.mark.parametrize("edit", [True, False])
def test_prompts_that_the_user_gave_or_wrote_are_exported(edit: bool, tmp_path: Path) -> None:
    facts = make_facts(settings={} if edit else {"sampling.prompts": "mira, in space"})
    write_run(tmp_path / "run", facts, make_plan(facts))
    if edit:
        path = tmp_path / "run" / "loracle.toml"
        lines = path.read_text("utf-8").splitlines()
        changed = ['prompts = ["mira, in space"]' if line.startswith("prompts = ") else line for line in lines]
        path.write_text("\n".join(changed), "utf-8")

    export(tmp_path / "run", to="kohya-gui")

    assert "mira, in space" in texts_of(tmp_path / "run")


def texts_of(run: Path) -> str:
    files = (path for path in (run / "exports").rglob("*") if path.is_file())
    return "\n".join(path.read_text("utf-8", "replace") for path in files)


def test_two_exports_into_one_folder_are_not_made_at_once(run: Path, tmp_path: Path) -> None:
    with exporting(tmp_path / "out", "loracle export"), pytest.raises(RunInUse, match="out is in use: loracle export"):
        export(run, to="ai-toolkit", out=tmp_path / "out")

    export(run, to="ai-toolkit", out=tmp_path / "out")

"""Exporting as a user meets it: from a run whose path holds whatever paths can hold."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from templates.exporters import EXPORTERS
from templates.native.loracle_toml import render_config
from tests.support.factories import make_plan_for
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


@pytest.mark.parametrize("name", EXPORTERS)
def test_sentences_fit_the_terminal_and_paths_stay_whole(
    name: str, run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    export(run, to=name)

    lines = capsys.readouterr().err.splitlines()
    assert any(line.startswith("  ") and str(run.absolute()) in line.replace("'\"'\"'", "'") for line in lines)
    longest = [line for line in lines if not line.startswith("  ") and len(line) > 80]
    assert all(max(map(len, shlex.split(line.replace("'", "")))) > 60 for line in longest), longest

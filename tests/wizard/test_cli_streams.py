"""Processes whose stdin, stdout or stderr are closed, or lead to a disk that is full."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY
from tests.support.runs import events_of, make_config, write_toml

FULL = Path("/dev/full")
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")


def ended(redirections: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """`loracle`, with such redirections of a shell."""
    command = [sys.executable, "-P", "-m", "wizard.cli", *map(str, arguments)]
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {redirections}', "sh", *command], capture_output=True, text=True, timeout=200,
        check=False, env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_change_no_exit_code(closed: str, tmp_path: Path) -> None:
    found = [ended(closed, "runs", tmp_path), ended(closed, "status", tmp_path / "nothing")]

    assert [one.returncode for one in found] == [0, 2]
    assert "Traceback" not in found[0].stderr + found[1].stderr


@pytest.mark.parametrize("arguments", [("runs", "--json"), ("doctor",), ("--help",), ("--version",)])
def test_a_full_disk_behind_stdout_is_no_defect(arguments: tuple[str, ...]) -> None:
    found = ended(f"> {FULL}", *arguments)

    assert found.returncode == 2
    assert "Traceback" not in found.stderr
    assert "mistake in Loracle" not in found.stderr


def test_a_full_disk_behind_stderr_changes_no_exit_code(tmp_path: Path) -> None:
    assert ended(f"2> {FULL}", "status", tmp_path / "nothing").returncode == 2


@pytest.mark.parametrize("redirections", ["<&- >&- 2>&-", f"> {FULL}", f"> {FULL} 2>&1"])
def test_who_cannot_tell_of_a_training_trains(redirections: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    write_toml(run / "loracle.toml", make_config(tmp_path, schedule__epochs=1))

    found = ended(redirections, "train", run, "--device", "cpu")

    assert (found.returncode, "Traceback" in found.stderr) == (0, False), found.stderr
    assert (run / "model" / "tok.safetensors").exists()
    if redirections == f"> {FULL}":
        assert found.stderr.count("What is printed cannot be written: No space left on device") == 1


def test_a_training_whose_reader_ends_is_ended_and_told_as_interrupted(tmp_path: Path) -> None:
    run = tmp_path / "run"
    write_toml(run / "loracle.toml", make_config(tmp_path, schedule__epochs=500, schedule__name="constant"))
    command = shlex.join([sys.executable, "-P", "-m", "wizard.cli", "train", str(run), "--device", "cpu"])

    found = subprocess.run(
        ["bash", "-c", f"{command} 2>&1 | head -1; exit ${{PIPESTATUS[0]}}"], capture_output=True, text=True,
        timeout=200, check=False, env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip

    assert found.returncode == 130
    assert events_of(run, "failed")[-1]["code"] == "interrupted"

"""Commands as processes, on a run in which a link leads out: refused before anything is loaded or written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY
from tests.support.runs import make_config, write_toml

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows makes links for administrators only")


@pytest.mark.parametrize("command", ["train", "measure"])
@pytest.mark.parametrize("place", ["log", "cache/latents/ab", "state", "samples/x.png"])
def test_a_link_that_leads_out_is_refused_before_anything_is_loaded(tmp_path: Path, command: str, place: str) -> None:
    run, victim = tmp_path / "run", tmp_path / "victim"
    write_toml(run / "loracle.toml", make_config(tmp_path))
    (victim / "kept").mkdir(parents=True)
    (victim / "key").write_text("secret", "utf-8")
    (run / place).parent.mkdir(parents=True, exist_ok=True)
    (run / place).symlink_to(victim / "key" if place.endswith(".png") else victim)
    before = {path: path.lstat().st_mtime_ns for path in (*run.rglob("*"), *victim.rglob("*"), victim)}

    ended = subprocess.run(
        [sys.executable, "-P", "-X", "importtime", "-m", "wizard.cli", command, str(run), "--device", "cpu"],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )

    assert ended.returncode == 2
    told = [line for line in ended.stderr.splitlines() if not line.startswith("import time:")]
    assert f"{run / place} is a link that leads out of the run" in "\n".join(told)
    assert "LORACLE_LINKS" in ended.stderr
    assert "trainer.training" not in ended.stderr
    assert {path: path.lstat().st_mtime_ns for path in (*run.rglob("*"), *victim.rglob("*"), victim)} == before

"""A conversion whose `loracle` was killed ends too, and leaves no half-written file."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.killed import is_alive, wait_for
from tests.support.paths import REPOSITORY

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")

CONVERTER = """
import os, sys, time
from pathlib import Path
from advisor.files import replacing
from trainer.convert import pickle

def slow(source, out, tell, *, is_new):
    with replacing(out) as temporary, temporary.open("wb") as file:
        Path(sys.argv[1]).with_name("pid").write_text(str(os.getpid()))
        for _ in range(600):
            file.write(b"x")
            file.flush()
            time.sleep(0.1)
    return {"event": "finished"}

pickle.listen()
sys.exit(pickle.run_command(slow))
"""
LAUNCHER = """
import sys
from pathlib import Path
from wizard.processes.conversion import run_conversion
source, out, script = map(Path, sys.argv[1:])
run_conversion(source, out, print, command=lambda *given: [sys.executable, "-P", str(script), *map(str, given)])
"""


def test_a_conversion_ends_when_its_launcher_is_killed(tmp_path: Path) -> None:
    script, source, out = tmp_path / "slow.py", tmp_path / "a.ckpt", tmp_path / "new/a.safetensors"
    script.write_text(CONVERTER, "utf-8")
    out.parent.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(tmp_path)}
    launcher = subprocess.Popen(
        [sys.executable, "-P", "-c", LAUNCHER, str(source), str(out), str(script)], env=environment
    )
    try:
        wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), "the conversion")
        converter = int((tmp_path / "pid").read_text())
        launcher.kill()
        launcher.wait()
        began = time.monotonic()
        wait_for(lambda: not is_alive(converter), "the conversion's end", 20)
    finally:
        launcher.kill()
        launcher.wait()

    assert time.monotonic() - began < 10
    assert list(out.parent.iterdir()) == []

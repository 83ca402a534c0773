"""`loracle train` as a process that something else started, e.g. `nohup` or a shell in the background."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY
from tests.support.runs import events_of, make_config, write_toml

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")


@contextmanager
def training(run: Path, *, ignoring: str) -> Iterator[subprocess.Popen[str]]:
    """A training with the command that a user types, started with some signals ignored."""
    command = [sys.executable, "-P", "-m", "wizard.cli", "train", str(run), "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    child = subprocess.Popen(
        ["sh", "-c", f"trap '' {ignoring}; exec \"$@\"", "sh", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        yield child
    finally:
        if child.poll() is None:
            child.kill()
            child.communicate()


def steps(run: Path) -> int:
    """How many steps the run's events tell of."""
    return len(events_of(run, "step")) if (run / "log" / "events.jsonl").exists() else 0


def wait_for(true: Callable[[], bool], child: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not true():
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_one_that_nohup_started_in_the_background_outlives_its_terminal_and_saves_on_sigterm(tmp_path: Path) -> None:
    run = tmp_path / "run"
    write_toml(run / "loracle.toml", make_config(tmp_path, schedule__epochs=500, schedule__name="constant"))

    with training(run, ignoring="INT HUP") as child:
        wait_for(lambda: steps(run) > 0, child)
        child.send_signal(signal.SIGHUP)
        seen = steps(run)
        wait_for(lambda: steps(run) > seen + 10, child)
        child.send_signal(signal.SIGTERM)
        out, err = child.communicate(timeout=120)

    assert child.returncode == 130, out + err
    assert events_of(run, "failed")[0]["code"] == "interrupted"
    assert (run / "model" / f"tok-step{events_of(run, 'step')[-1]['step']:08d}.safetensors").exists()

"""The trainer as a process of its own, as the wizard starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.support.paths import REPOSITORY
from tests.support.runs import events_of, make_config, write_toml


def start(run: Path, *options: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "trainer", str(run), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=run if run.is_dir() else run.parent,
    )


def test_a_run_folder_without_a_configuration_ends_with_2(tmp_path: Path) -> None:
    from trainer.__main__ import main

    assert main([str(tmp_path)]) == 2


def test_mistakes_in_the_configuration_become_an_event_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from trainer.__main__ import main

    (tmp_path / "loracle.toml").write_text('[model]\npath = "/nowhere"\nfamily = "sd1"\n', encoding="utf-8")

    assert main([str(tmp_path)]) == 2

    (failed,) = events_of(tmp_path, "failed")
    assert failed["code"] == "config"
    assert "saving" in failed["message"]
    out, err = capsys.readouterr()
    assert (out, err.strip()) == ("", failed["message"])


def test_defects_end_with_1_and_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from trainer.__main__ import main

    def broken(*arguments: object, **more: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("trainer.training.prepare.prepare", broken)
    write_toml(tmp_path / "run" / "loracle.toml", make_config(tmp_path))

    assert main([str(tmp_path / "run")]) == 1

    assert "ZeroDivisionError: ours" in capsys.readouterr().err
    assert events_of(tmp_path / "run", "failed")[0]["code"] == "defect"


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
def test_ctrl_c_saves_the_work_ends_with_130_and_the_run_can_go_on(tmp_path: Path) -> None:
    run = tmp_path / "run"
    write_toml(run / "loracle.toml", make_config(tmp_path, schedule__epochs=500, schedule__name="constant"))
    child = start(run)
    events = run / "log" / "events.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and '"step"' not in (events.read_text("utf-8") if events.exists() else ""):
        assert child.poll() is None, child.communicate()
        time.sleep(0.1)

    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=120)

    assert (child.returncode, out, err) == (130, "", "")
    steps = events_of(run, "step")[-1]["step"]
    assert load_file(run / "model" / f"tok-step{steps:08d}.safetensors")
    assert events_of(run, "failed")[0]["code"] == "interrupted"
    assert list((run / "log").glob("events.out.tfevents.*"))

    config = make_config(tmp_path, schedule__max_steps=steps + 1, schedule__name="constant", schedule__epochs=500)
    write_toml(run / "loracle.toml", config)
    again = start(run, "--resume")
    out, err = again.communicate(timeout=120)

    assert (again.returncode, out, err) == (0, "", "")
    assert events_of(run, "started")[1]["resumed_from"] == steps
    assert events_of(run, "finished")[0]["steps"] == steps + 1

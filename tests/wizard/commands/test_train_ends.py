"""A training whose LoRAs are saved ends with 0, whatever fails after that, and says in a sentence what is missing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from safetensors.torch import load_file

from advisor.run_folder.layout import RunFolder
from tests.support.paths import REPOSITORY
from tests.support.runs import events_of, make_config, write_toml

LAUNCHER = """
import sys
from wizard.processes import trainer_job
trainer_job.child_command = lambda module, *given: [sys.executable, "-P", {script!r}, *given]
from wizard.cli import main
main()
"""
"""`loracle` with another script in the trainer's place."""

TRAINER = """
import os, shutil, sys
from pathlib import Path
from advisor.errors import RunError
from trainer.training import callbacks, train
from trainer.runtime import events
run = Path(sys.argv[1])
def fails(*_, **__):
    raise {error}
def after_the_last_lora(do):
    saved = callbacks.RunCallbacks.save_last
    def save_last(self, position):
        path = saved(self, position)
        do(self)
        return path
    callbacks.RunCallbacks.save_last = save_last
{change}
from trainer.__main__ import main
sys.exit(main(sys.argv[1:]))
"""
"""The trainer with something in it that fails; `run`, `fails` and `after_the_last_lora` are for the change."""

FULL_DISK = 'after_the_last_lora(lambda made: setattr(made.events._writer, "_file", open("/dev/full", "wb", 0)))'
NO_LOG = "after_the_last_lora(lambda made: shutil.rmtree(run / 'log'))"
NO_STATE = """
from trainer.training import state
write = state.States.write
def last_fails(self, made):
    return write(self, made) if made.position.step < 3 else fails()
state.States.write = last_fails
"""
NO_BOARD = """
from trainer.reporting import tensorboard
tensorboard.TensorBoard.close = fails
"""
NO_WANDB = """
import trainer.train_run as entry
from advisor.settings.config import RunConfig
RunConfig.wandb_project = property(lambda _: "curves")
class Board:
    def __init__(self, *_): pass
    def __call__(self, event): pass
    close = fails
entry.WeightsAndBiases = Board
"""
SLOW = pytest.mark.slow
HAS_FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that is copied, not trained."""
    folder = tmp_path_factory.mktemp("ends")
    config = make_config(folder, schedule__epochs=1)
    write_toml(folder / "run/loracle.toml", config)
    return folder / "run"


def trained(
    planned: Path, run: Path, change: str = "", error: str = "RuntimeError('no')"
) -> subprocess.CompletedProcess[str]:
    """`loracle train --json` of a copy of the run."""
    shutil.copytree(planned, run, dirs_exist_ok=True)
    script = run.parent / "in_its_place.py"
    script.write_text(TRAINER.format(change=dedent(change), error=error), encoding="utf-8")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-P", "-c", LAUNCHER.format(script=str(script)), "train", str(run), "--device", "cpu"]
    return subprocess.run(
        [*command, "--json"],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env=environment,
    )


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ("train.check_saved = fails", "RuntimeError('no')", "could not be read back and checked: RuntimeError: no"),
        pytest.param("train.check_saved = fails", "MemoryError()", "read back and checked: MemoryError", marks=SLOW),
        pytest.param(NO_STATE, "RunError('read-only')", "so the training cannot go on with more epochs", marks=SLOW),
        pytest.param(FULL_DISK, "0", "the end of log/events.jsonl is missing", marks=[SLOW, HAS_FULL]),
        (NO_LOG, "0", "the end of log/events.jsonl is missing"),
        pytest.param(NO_BOARD, "OSError(28, 'full')", "TensorBoard's file was not finished: OSError", marks=SLOW),
        pytest.param(NO_WANDB, "OSError(28, 'full')", "Weights & Biases's file was not finished", marks=SLOW),
        ("import atexit; atexit.register(os.abort)", "0", "but its process did not end well"),
        pytest.param(
            "after_the_last_lora(lambda _: (run / 'state/ladder.json').write_text('['))",
            "0",
            "What the memory ladder did cannot be read",
            marks=SLOW,
        ),
        pytest.param(
            "after_the_last_lora(lambda _: (run / 'plan.json').write_text('[]'))", "0", "No report", marks=SLOW
        ),
        pytest.param(
            "after_the_last_lora(lambda _: ((run / 'plan.json').write_text('{}'), (run / 'report.html').mkdir()))",
            "0",
            "No report was written",
            marks=SLOW,
        ),
    ],
)
def test_what_fails_after_the_last_lora_is_one_warning(
    planned: Path, tmp_path: Path, change: str, error: str, told: str
) -> None:
    run = tmp_path / "run"

    ended = trained(planned, run, change, error)

    assert ended.returncode == 0, ended
    assert ended.stderr.count(told) == 1, ended
    assert "mistake in Loracle" not in ended.stderr
    assert json.loads(ended.stdout)["loras"] == ["model/tok.safetensors"]
    assert load_file(run / "model/tok.safetensors")
    assert not list(run.glob(".lock*"))


def test_without_any_failure_there_is_no_warning(planned: Path, tmp_path: Path) -> None:
    ended = trained(planned, tmp_path / "run")

    assert ended.returncode == 0, ended
    told = [event["message"] for event in events_of(tmp_path / "run") if event["event"] == "warning"]
    assert [line for line in ended.stderr.splitlines() if line.startswith("! ")] == [f"! {one}" for one in told]
    assert events_of(tmp_path / "run", "warning") == []
    assert events_of(tmp_path / "run", "finished")[-1]["loras"] == ["model/tok.safetensors"]
    assert RunFolder(tmp_path / "run").has_state()

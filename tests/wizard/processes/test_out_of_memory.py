"""Memory that runs out for real, twice in one run, through `loracle train` as a user runs it.

The trainer is an ordinary process of the system. From outside its memory is limited, as if other programs had taken the
rest, once it has made a step; and again when it was started anew and has made another, all in its first epoch.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file

from advisor.errors import TrainingStopped
from advisor.run_folder.config_file import read_config
from advisor.run_folder.layout import RunFolder
from tests.support.fake_trainer import SilentScreen
from tests.support.paths import REPOSITORY
from tests.support.pictures import make_pictures
from tests.support.runs import events_of, make_config, write_toml
from tests.support.runs import run_training as train_here
from wizard.processes.launch import run_trainer
from wizard.processes.trainer_job import TrainerJob

ENOUGH_SHARE = 0.37
"""Of what a whole batch takes: less than a half of the batch, more than a quarter of it."""

STEPS, SIDE = 3, 320
"""With smaller pictures halves and quarters of a batch are too near to each other to be told apart from outside."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="limits another process's memory"),
]


def run_folder(tmp_path: Path, name: str) -> Path:
    if not (tmp_path / "pictures").exists():
        make_pictures(tmp_path / "pictures", 8, sizes=((SIDE, SIDE),))
    config = make_config(
        tmp_path, schedule__batch_size=8, schedule__epochs=1, dataset__repeats=STEPS, dataset__resolution_px=SIDE,
        dataset__max_bucket_px=512,
    )  # fmt: skip
    run = tmp_path / name
    write_toml(run / "loracle.toml", config)
    chosen = [
        {"path": path, "value": value, "reason": "you chose it", "origin": "answer", "source": {}}
        for path, value in (("memory.gradient_checkpointing", False), ("schedule.batch_size", 8))
    ]
    (run / "plan.json").write_text(json.dumps({"decisions": chosen}), encoding="utf-8")
    return run


class Watch:
    """Takes memory away from the trainers that a command starts."""

    def __init__(self, command: subprocess.Popen[str], run: Path) -> None:
        self._command, self._run = command, run
        self._least, self._most = 0, 0
        self._limited: set[int] = set()

    def until_the_end(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._command.poll() is None and time.monotonic() < deadline:
            for child in self._trainers():
                self._look_at(child)
            time.sleep(0.005)
        assert self._command.poll() is not None, "it hangs"

    def _trainers(self) -> list[psutil.Process]:
        try:
            children = psutil.Process(self._command.pid).children()
            return [child for child in children if child.pid not in self._limited]
        except psutil.NoSuchProcess:
            return []

    def _look_at(self, child: psutil.Process) -> None:
        seen, used = self._events(), _data_bytes(child.pid)
        starts = [number for number, event in enumerate(seen) if event["event"] == "started"]
        if not used or len(starts) <= len(self._limited):
            return
        own = seen[starts[-1] :]
        if not any(event.get("name") == "train" for event in own if event["event"] == "phase"):
            return
        has_stepped = any(event["event"] == "step" for event in own)
        if len(starts) == 1 and not has_stepped:
            self._least, self._most = min(self._least or used, used), max(self._most, used)
        elif has_stepped or len(starts) == 3:
            self._limit(child.pid, self._least + int(ENOUGH_SHARE * (self._most - self._least)))

    def _limit(self, pid: int, number: int) -> None:
        import resource

        resource.prlimit(pid, resource.RLIMIT_DATA, (number, number))
        self._limited.add(pid)

    def _events(self) -> list[dict[str, Any]]:
        path = self._run / "log" / "events.jsonl"
        lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
        return [json.loads(line) for line in lines]


def _data_bytes(pid: int) -> int:
    """What the limit counts: private memory that can be written to."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def loracle_train(run: Path) -> tuple[int, str, str]:
    """Its exit code and what it printed; freed memory goes back to the system at once, so that the limit is exact."""
    environment = {
        **os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(REPOSITORY),
        "MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "262144",
    }  # fmt: skip
    command = subprocess.Popen(
        [sys.executable, "-P", "-m", "wizard.cli", "train", str(run), "--device", "cpu", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=run,
    )  # fmt: skip
    try:
        Watch(command, run).until_the_end(900)
    finally:
        if command.poll() is None:
            command.kill()
    out, err = command.communicate()
    return command.returncode, out, err


def test_memory_runs_out_twice_and_the_same_training_is_finished_on_a_lower_rung(tmp_path: Path) -> None:
    usual, short = run_folder(tmp_path, "usual"), run_folder(tmp_path, "short")
    train_here(usual, read_config(usual))

    code, out, err = loracle_train(short)

    assert code == 0, err
    document = json.loads(out)
    assert [(rung["rung"], rung["after"]) for rung in document["ladder"]] == [
        ("smaller_parts", {"batch_parts": 2}), ("smaller_parts", {"batch_parts": 4}),
    ]  # fmt: skip
    assert document["steps"] == STEPS
    assert [event["resumed_from"] for event in events_of(short, "started")] == [None, 1, 2]
    assert [event["code"] for event in events_of(short, "failed")] == ["out_of_memory"] * 2
    assert (short / "images" / "manifest.jsonl").read_bytes() == (usual / "images" / "manifest.jsonl").read_bytes()
    # The same pictures with the same noise in the same order: every step has the loss that it would have had.
    wanted, got = ([(event["step"], event["loss"]) for event in events_of(run, "step")] for run in (usual, short))
    assert [step for step, _ in got] == [step for step, _ in wanted] == [1, 2, 3]
    assert [loss for _, loss in got] == pytest.approx([loss for _, loss in wanted], rel=1e-4)
    expected, found = (load_file(run / "model" / "tok.safetensors") for run in (usual, short))
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=0.05, atol=1e-3)


LIMITED = """
import resource, runpy, sys
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
runpy.run_module("trainer", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("limit_mb", [400, 450])
def test_a_limit_that_leaves_no_room_for_the_libraries_is_no_defect(tmp_path: Path, limit_mb: int) -> None:
    write_toml(tmp_path / "run/loracle.toml", make_config(tmp_path))
    words = [sys.executable, "-P", "-c", LIMITED, str(limit_mb * 2**20), str(tmp_path / "run"), "--device", "cpu"]

    with pytest.raises(TrainingStopped):
        run_trainer(TrainerJob(RunFolder(tmp_path / "run")), SilentScreen(), command=lambda _: words)

"""The queue's worker, its trainer or both are killed at any moment: each run is trained exactly once to its end."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from advisor.run_folder.layout import RunFolder
from tests.support import miniature_trainer
from tests.support.killed import (
    Victim,
    assert_every_lora_loads,
    assert_one_trained_at_a_time,
    has_begun,
    trainer_pid,
    wait_for,
)
from tests.support.paths import REPOSITORY
from tests.support.runs import events_of, make_config, write_toml
from wizard.processes.queue_store import QueueStore
from wizard.show.queue_view import QueueOptions

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")

SEED = 20261130
VICTIMS: tuple[Victim, ...] = ("launcher", "both", "launcher", "both", "trainer")
"""The launcher is the queue's worker."""
Start = Callable[[], "subprocess.Popen[str]"]


def miniature() -> subprocess.Popen[str]:
    """The queue's worker, with trainers in miniature."""
    return _started(miniature_trainer.command("queue", "start"), miniature_trainer.environment(0.03))


def miniature_two() -> subprocess.Popen[str]:
    """The same with two runs at a time."""
    return _started(miniature_trainer.command("queue", "start", "--processes", 2), miniature_trainer.environment(0.03))


def real() -> subprocess.Popen[str]:
    """The same with the real trainer."""
    return _real()


def real_two() -> subprocess.Popen[str]:
    """And with two of its runs at a time."""
    return _real("--processes", "2")


def _real(*options: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    return _started([sys.executable, "-P", "-m", "wizard.cli", "queue", "start", *options], environment)


def _started(command: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


@contextmanager
def working(start: Start) -> Iterator[subprocess.Popen[str]]:
    """A worker; what still runs of it at the end is killed."""
    worker = start()
    try:
        yield worker
    finally:
        worker.kill()
        worker.communicate()


def queued(folder: Path, number: int) -> list[Path]:
    """Tiny planned runs in the queue, by names that names can have."""
    config = make_config(folder)
    store, runs = QueueStore(), list[Path]()
    for index in range(number):
        runs.append(write_toml(folder / f"Füchse 🦊 {index}" / "loracle.toml", config).parent)
        store.add(runs[-1], QueueOptions(device="cpu"))
    return runs


def at_work(runs: list[Path]) -> Path | None:
    """The run whose trainer is at work."""
    return next((run for run in runs if trainer_pid(run) is not None), None)


def kill(worker: subprocess.Popen[str], runs: list[Path], victim: Victim) -> None:
    if victim in ("launcher", "both"):
        worker.kill()
    trainers = [] if victim == "launcher" else [pid for pid in map(trainer_pid, runs) if pid is not None]
    for trainer in trainers if victim == "both" else trainers[:1]:
        with suppress(ProcessLookupError):
            os.kill(trainer, signal.SIGKILL)


def work_with_kills(runs: list[Path], start: Start, kills: list[tuple[Victim, float]], seconds: float) -> int:
    """Start the queue until it is through, killing at these moments after a start or the kill before; how many were."""
    deadline, killed = time.monotonic() + seconds, 0
    while time.monotonic() < deadline:
        with working(start) as worker:
            while killed < len(kills) and worker.poll() is None:
                victim, later = kills[killed]
                with suppress(subprocess.TimeoutExpired):
                    worker.wait(later)
                    break
                kill(worker, runs, victim)
                killed += 1
            out, _ = worker.communicate(timeout=seconds)
        if worker.returncode == 0:
            return killed
        assert worker.returncode == -signal.SIGKILL, out
    pytest.fail("the queue did not come to its end")


def assert_each_was_trained_exactly_once(runs: list[Path], steps: int) -> None:
    assert {entry.state for entry in QueueStore().entries()} == {"trained"}
    for run in runs:
        assert_one_trained_at_a_time(run)
        (finished,) = events_of(run, "finished")
        assert finished["steps"] == steps
        assert RunFolder(run).lora("tok").exists()
        assert not list(run.glob(".lock*"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LORACLE_DATA", str(tmp_path / "data"))
    return tmp_path


def test_one_that_is_killed_goes_on_and_trains_each_run_exactly_once(folder: Path) -> None:
    runs = queued(folder, 3)
    with working(miniature) as worker:
        wait_for(lambda: worker.poll() is not None or has_begun(runs[0], "step"), "a step")
        kill(worker, runs, "launcher")
    with working(miniature) as worker:
        wait_for(lambda: worker.poll() is not None or has_begun(runs[1], "step"), "a step of the second")
        kill(worker, runs, "both")
    work_with_kills(runs, miniature, [], 60)

    assert_each_was_trained_exactly_once(runs, 8)
    assert [len(events_of(run, "started")) for run in runs] == [2, 2, 1]


def test_one_that_trains_two_at_a_time_and_is_killed_goes_on_with_both(folder: Path) -> None:
    runs = queued(folder, 4)
    with working(miniature_two) as worker:
        wait_for(lambda: worker.poll() is not None or all(has_begun(run, "step") for run in runs[:2]), "steps")
        kill(worker, runs, "launcher")
    with working(miniature_two) as worker:
        wait_for(lambda: worker.poll() is not None or any(has_begun(run, "step") for run in runs[2:]), "a step")
        kill(worker, runs, "both")
    work_with_kills(runs, miniature_two, [], 60)

    assert_each_was_trained_exactly_once(runs, 8)


def moments(number: int, longest: float) -> list[tuple[Victim, float]]:
    draw = random.Random(SEED)
    return [(VICTIMS[index % len(VICTIMS)], draw.uniform(0.2, longest)) for index in range(number)]


@pytest.mark.slow
@pytest.mark.parametrize("start", [miniature, miniature_two])
def test_twenty_runs_killed_at_many_random_moments_in_miniature(folder: Path, start: Start) -> None:
    runs = queued(folder, 20)

    assert work_with_kills(runs, start, moments(30, 1.5), 600) >= 10
    assert_each_was_trained_exactly_once(runs, 8)


@pytest.mark.slow
@pytest.mark.parametrize(("start", "longest"), [(real, 12.0), (real_two, 6.0)])
def test_twenty_runs_killed_at_ten_random_moments(folder: Path, start: Start, longest: float) -> None:
    runs = queued(folder, 20)

    assert work_with_kills(runs, start, moments(10, longest), 3000) == 10
    assert_each_was_trained_exactly_once(runs, events_of(runs[-1], "step")[-1]["step"])
    for run in runs:
        assert_every_lora_loads(run)

"""`loracle train --processes`: real processes, one of which is killed, interrupted or out of memory at some moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from advisor.run_folder.layout import RunFolder
from tests.support.killed import (
    assert_every_lora_loads,
    assert_one_trained_at_a_time,
    go_on,
    has_begun,
    is_alive,
    launched,
    trainer_pid,
    wait_for,
)
from tests.support.paths import REPOSITORY
from tests.support.runs import events_of, make_config, same, weights, write_toml

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")

TWO = ("--processes", "2")


def planned(folder: Path, name: str, **settings: Any) -> Path:
    run = folder / name
    write_toml(run / "loracle.toml", make_config(folder, **settings))
    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a training by two processes that nothing interrupted, `whole`."""
    folder = tmp_path_factory.mktemp("processes")
    whole = planned(folder, "whole", schedule__epochs=3, network__dropout=0.1)
    with launched(whole, *TWO) as started:
        out, _ = started.communicate(timeout=200)
    assert started.returncode == 0, out
    return folder


def processes_of(run: Path) -> tuple[psutil.Process, psutil.Process, psutil.Process]:
    """Who started them, the first and the second process of a training; waits until they work."""
    wait_for(lambda: trainer_pid(run) is not None, "the first process")
    first = psutil.Process(trainer_pid(run))
    parent = first.parent()
    assert parent is not None
    (second,) = (one for one in parent.children() if one != first and "spawn_main" in " ".join(one.cmdline()))
    return parent, first, second


def listens_elsewhere(processes: Iterator[psutil.Process]) -> list[str]:
    """Addresses other than the machine's own at which these can be reached."""
    found = [one for process in processes for one in process.net_connections() if one.status == psutil.CONN_LISTEN]
    return [one.laddr.ip for one in found if one.laddr.ip != "127.0.0.1"]


def test_two_processes_train_a_run_and_can_be_reached_from_this_machine_alone(tmp_path: Path) -> None:
    run = planned(tmp_path, "run", schedule__epochs=3)
    with launched(run, *TWO) as started:
        wait_for(lambda: started.poll() is not None or has_begun(run, "step"), "a step")
        processes = processes_of(run)
        elsewhere = listens_elsewhere(iter(processes))
        out, _ = started.communicate(timeout=100)

    assert started.returncode == 0, out
    assert elsewhere == []
    assert "2 processes: each takes 1 of the 2 pictures of a step" in " ".join(out.split())
    assert events_of(run, "finished")[0]["epochs"] == 3
    assert_every_lora_loads(run)
    assert not list(run.glob(".lock*"))
    assert not any(is_alive(process.pid) for process in processes)


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("phase", ["cache_latents", "step", "save", "check"])
@pytest.mark.parametrize("victim", ["starter", "first", "second"])
def test_one_of_them_is_killed_and_the_run_goes_on_to_the_same_bytes(folder: Path, victim: str, phase: str) -> None:
    run = planned(folder, f"{victim}-{phase}", schedule__epochs=3, network__dropout=0.1)
    with launched(run, *TWO) as started:
        wait_for(lambda: started.poll() is not None or has_begun(run, phase), phase)
        starter, first, second = processes_of(run)
        {"starter": starter, "first": first, "second": second}[victim].kill()
        out, _ = started.communicate(timeout=100)
        wait_for(lambda: not any(is_alive(one.pid) for one in (starter, first, second)), "all to end", 60)

    assert started.returncode == (0 if (victim, phase) == ("second", "check") else 3), out
    go_on(run, options=TWO)
    assert same(weights(run), weights(folder / "whole"))
    assert_one_trained_at_a_time(run)
    assert_every_lora_loads(run)
    assert not list(run.glob(".lock*"))


@pytest.mark.slow
def test_where_the_second_is_killed_the_first_saves_the_last_step(folder: Path) -> None:
    run = planned(folder, "kept", schedule__epochs=500)
    with launched(run, *TWO) as started:
        wait_for(lambda: started.poll() is not None or has_begun(run, "step"), "a step")
        processes_of(run)[2].kill()
        out, _ = started.communicate(timeout=100)

    assert started.returncode == 3, out
    assert "The system ended the training (SIGKILL)" in " ".join(out.split())
    step = events_of(run, "step")[-1]["step"]
    assert [state.name for state in RunFolder(run).states()][-1] == RunFolder(run).state_of_step(step).name


@contextmanager
def interrupted(run: Path, number: signal.Signals, *, times: int = 1) -> Iterator[subprocess.Popen[str]]:
    """A training that was asked to end, once there was a step."""
    with launched(run, *TWO) as started:
        wait_for(lambda: started.poll() is not None or has_begun(run, "step"), "a step")
        for _ in range(times):
            started.send_signal(number)
            with_pause(1.5 if times > 1 else 0)
        yield started


def with_pause(seconds: float) -> None:
    import time

    time.sleep(seconds)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_ends_it_has_lora_and_state_of_the_step_at_hand(folder: Path, number: signal.Signals) -> None:
    run = planned(folder, f"ended-{number.name}", schedule__epochs=500)
    with interrupted(run, number) as started:
        processes = processes_of(run)
        out, _ = started.communicate(timeout=100)

    assert started.returncode == 130, out
    step = events_of(run, "step")[-1]["step"]
    assert (run / "model" / f"tok-step{step:08d}.safetensors").exists()
    assert events_of(run, "failed")[-1]["code"] == "interrupted"
    assert not any(is_alive(one.pid) for one in processes)


@pytest.mark.slow
def test_all_of_them_save_and_end_where_their_command_is_killed(folder: Path) -> None:
    run = planned(folder, "orphans", schedule__epochs=500)
    with launched(run, *TWO) as started:
        wait_for(lambda: has_begun(run, "step"), "a step")
        processes = processes_of(run)
        started.kill()
        wait_for(lambda: not any(is_alive(one.pid) for one in processes), "all to end", 30)

    assert events_of(run, "failed")[-1]["message"].endswith("the work is saved")


BENT = """
import os, sys
from trainer.training import stepper
from trainer.ranks import group
losses = stepper.Stepper._losses
def bent(self, refs, rows, *, step, number, epoch):
    if self._ranks.rank == 1 and step == 2 and self._batch_parts == 1:
        raise {error}
    yield from losses(self, refs, rows, step=step, number=number, epoch=epoch)
stepper.Stepper._losses = bent
from trainer.__main__ import main
from trainer.runtime.interrupts import exit_as
if __name__ == "__main__":
    exit_as(main(sys.argv[1:]))
"""
"""A trainer whose second process fails in the third step, as long as batches are not split."""
LAUNCHER = """
import sys
from wizard.processes import trainer_job
trainer_job.child_command = lambda module, *given: [sys.executable, "-P", {script!r}, *given]
from wizard.cli import main
main()
"""


def bent_training(folder: Path, run: Path, error: str) -> subprocess.CompletedProcess[str]:
    script = folder / f"{run.name}.py"
    script.write_text(BENT.format(error=error))
    return subprocess.run(
        [sys.executable, "-P", "-c", LAUNCHER.format(script=str(script)), "train", str(run), *TWO], text=True,
        capture_output=True, check=False, timeout=200,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_where_one_has_no_memory_left_all_of_them_step_down_the_ladder(folder: Path) -> None:
    run = planned(folder, "ladder", schedule__batch_size=4)

    ended = bent_training(folder, run, "MemoryError('std::bad_alloc')")

    assert ended.returncode == 0, ended.stderr
    assert [rung["rung"] for rung in events_of(run, "ladder")] == ["checkpointing", "smaller_parts"]
    assert [event["resumed_from"] for event in events_of(run, "started")] == [None, 2, 2]
    assert [event["processes"] for event in events_of(run, "started")] == [2, 2, 2]
    assert_one_trained_at_a_time(run)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        ("ZeroDivisionError('ours')", 1, "ZeroDivisionError: ours"),
        ("stepper.RunError('a picture is gone')", 3, "a picture is gone"),
    ],
    ids=["defect", "refusal"],
)
def test_what_goes_wrong_in_another_is_told_by_the_first(folder: Path, error: str, code: int, told: str) -> None:
    run = planned(folder, f"fails-{code}")

    ended = bent_training(folder, run, error)

    assert ended.returncode == code, ended.stderr
    assert told in events_of(run, "failed")[-1]["message"]
    assert [state.name for state in RunFolder(run).states()] == [RunFolder(run).state_of_step(2).name]

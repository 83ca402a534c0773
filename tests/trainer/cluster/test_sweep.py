from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from advisor.run_folder.layout import RunFolder
from tests.support.killed import wait_for
from tests.support.ray_nodes import Nodes, needs_ray, two_nodes
from tests.support.runs import events_of, make_config, same, weights
from wizard.commands.plan import plan
from wizard.interview.request import PlanRequest
from wizard.processes import cluster_sweep
from wizard.processes.cluster_sweep import ClusterSweep, train_on_cluster

VARY = ("--vary", "network.rank=4,8", "--vary", "optimizer.learning_rate=1e-3,5e-4")


def planned(folder: Path, epochs: int) -> Path:
    make_config(folder)
    settings = (
        f"schedule.epochs={epochs}", "dataset.repeats=2", "dataset.resolution_px=128", "dataset.min_bucket_px=64",
        "sampling.every_epochs=0", "sampling.steps=4",
    )  # fmt: skip
    request = PlanRequest(
        images=str(folder / "pictures"), model=str(folder / "tiny-sd1.safetensors"), name="tok", settings=settings
    )
    plan(request, out=folder / "tok", as_json=True)
    return folder / "tok"


@contextmanager
def loracle(*arguments: object, environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A command that says all to a file; it is killed if it still runs at the end."""
    command = [sys.executable, "-P", "-m", "wizard.cli", *map(str, arguments)]
    with log.open("wb") as output:
        started = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield started
        finally:
            if started.poll() is None:
                started.kill()
            started.wait()


def environment_of(nodes: Nodes, data: Path) -> dict[str, str]:
    return {**nodes.environment, "LORACLE_DATA": str(data)}


def steps_of(run: Path) -> int:
    try:
        return len(events_of(run, "step"))
    except (OSError, ValueError):
        return 0


@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_four_trials_on_two_machines_one_of_which_is_lost_come_out_as_here(tmp_path: Path) -> None:
    run, out, alone = planned(tmp_path, epochs=6), tmp_path / "there", tmp_path / "here"
    log, options = tmp_path / "sweep.log", ("sweep", run, *VARY, "--device", "cpu")
    with two_nodes(tmp_path) as nodes:
        environment = environment_of(nodes, tmp_path / "data")
        there = (*options, "--out", out, "--cluster", nodes.address)
        with loracle(*there, environment=environment, log=log) as sweep:
            wait_for(lambda: sum(steps_of(trial) > 8 for trial in out.glob("tok-*")) >= 2, "two trials train", 240)
            nodes.kill_second()
            code = sweep.wait(300)
    told = log.read_text("utf-8")

    assert code == 0, told
    assert "Its machine was lost" in told
    with loracle(*options, "--out", alone, environment=environment, log=log) as here:
        assert here.wait(300) == 0, log.read_text("utf-8")
    trials = sorted(path for path in out.iterdir() if path.is_dir())
    assert len(trials) == 4
    begun = [len(events_of(trial, "started")) for trial in trials]
    assert sorted(begun) == [1, 1, 1, 2], told
    for trial in trials:
        assert same(weights(trial, trial.name), weights(alone / trial.name, trial.name)), trial.name
        assert RunFolder(trial).read_config().machine.gpu_uuid == ""
    assert (out / "comparison.html").exists()
    assert sorted(path.name for path in out.iterdir()) == sorted([*(trial.name for trial in trials), "comparison.html"])
    written = [
        path.read_text("utf-8", "replace")
        for path in out.rglob("*")
        if path.suffix in {".toml", ".json", ".jsonl", ".log"}
    ]
    assert not any("d" * 64 in text for text in written)  # the token


@needs_ray
@pytest.mark.slow
def test_trials_that_are_worth_less_are_stopped_at_a_rung(tmp_path: Path) -> None:
    """Ray Tune is real; what trains is made up, and worth what the run's name says."""
    names = ("0.9", "0.8", "0.2", "0.1")
    for name in names:
        (tmp_path / name).mkdir()
    told = list[str]()
    with two_nodes(tmp_path) as nodes, pytest.MonkeyPatch.context() as patch:
        for name in ("HOME", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "PYTHONPATH"):
            patch.setenv(name, nodes.environment[name])
        patch.setattr(cluster_sweep, "TRIAL_MODULE", "tests.support.made_up_trial")
        runs = tuple(tmp_path / name for name in names)
        sweep = ClusterSweep(nodes.address, tmp_path, runs, epochs=8, on_cards=False, rungs=(2, 4))
        outcomes = train_on_cluster(sweep, told.append)

    asked = {name: (tmp_path / name / "asked.txt").read_text("utf-8").split() for name in names}
    assert asked["0.9"] == ["2", "4", "None"]
    assert asked["0.1"] == ["2"]
    assert (outcomes[0].outcome, outcomes[3].outcome) == ("trained", "stopped_early")
    assert [one.outcome == "trained" for one in outcomes] == [asked[name][-1] == "None" for name in names]
    assert not list(tmp_path.glob(".ray-*"))
    assert not list(tmp_path.glob(".shared-*"))

"""Launcher, trainer or both are killed at some moment: nothing is lost, and never do two trainers share a run."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import writing
from advisor.run_folder.state_manifest import newest_manifest
from tests.support.killed import (
    Moment,
    Victim,
    assert_every_lora_loads,
    assert_one_trained_at_a_time,
    go_on,
    has_begun,
    in_a_terminal,
    is_alive,
    kill_at,
    launched,
    trainer_pid,
    wait_for,
)  # fmt: skip
from tests.support.paths import REPOSITORY
from tests.support.runs import events_of, make_config, run_training, same, weights, write_toml

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")

PHASES = ("started", "load", "cache_text", "cache_latents", "train", "step", "save", "sample", "check")
"""Spread over a training."""
SEED = 20261129


def planned(folder: Path, name: str, **settings: Any) -> Path:
    given = {"schedule__epochs": 2, "sampling__prompts": ("tok, smile",), "sampling__every_epochs": 1,
             "sampling__steps": 2, **settings}  # fmt: skip
    run = folder / name
    write_toml(run / "loracle.toml", make_config(folder, **given))
    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a training that nothing interrupted, `whole`."""
    folder = tmp_path_factory.mktemp("killed")
    whole = planned(folder, "whole")
    with launched(whole) as started:
        out, _ = started.communicate(timeout=200)
    assert started.returncode == 0, out
    return folder


def survives(folder: Path, moment: Moment) -> None:
    run = planned(folder, str(moment))
    with launched(run) as started:
        kill_at(run, moment, started)
        go_on(run)

    assert same(weights(run), weights(folder / "whole")), moment
    assert_one_trained_at_a_time(run)
    assert_every_lora_loads(run)
    assert not list(run.glob(".lock*"))
    assert [event["steps"] for event in events_of(run, "finished")][-1] == events_of(folder / "whole", "step")[-1][
        "step"
    ]


@pytest.mark.parametrize(
    "moment",
    [Moment("launcher", "step"), pytest.param(Moment("both", "save"), marks=pytest.mark.slow)],
    ids=str,
)
def test_a_killed_training_goes_on_to_the_same_bytes(folder: Path, moment: Moment) -> None:
    survives(folder, moment)


def random_moments(number: int) -> list[Moment]:
    draw = random.Random(SEED)
    victims: tuple[Victim, ...] = ("launcher", "trainer", "both")
    return [
        Moment(victims[index % 3], PHASES[index // 3 % len(PHASES)], draw.choice((0.0, draw.uniform(0, 0.6))))
        for index in range(number)
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("moment", random_moments(30), ids=str)
def test_a_training_killed_at_any_moment_goes_on_to_the_same_bytes(folder: Path, moment: Moment) -> None:
    survives(folder, moment)


def test_a_trainer_whose_launcher_was_killed_saves_and_ends_within_seconds(tmp_path: Path) -> None:
    run = planned(tmp_path, "run", schedule__epochs=500, schedule__name="constant", sampling__every_epochs=0)
    with launched(run) as started:
        trainer = kill_at(run, Moment("launcher", "step", 0.3), started)
        assert trainer is not None
        began = time.monotonic()
        wait_for(lambda: not is_alive(trainer), "the trainer's end", 30)

    assert time.monotonic() - began < 10
    (failed,) = events_of(run, "failed")
    assert failed["code"] == "interrupted"
    assert "the program that started it has ended" in failed["message"]
    steps = events_of(run, "step")[-1]["step"]
    assert (run / "model" / f"tok-step{steps:08d}.safetensors").exists()
    assert [path.name for path in (run / "state").iterdir()][-1:] != []


@pytest.mark.parametrize("steps", [3, 8])
def test_a_training_whose_terminal_is_closed_saves_the_step_at_hand(tmp_path: Path, steps: int) -> None:
    run = planned(tmp_path, "run", schedule__epochs=500, schedule__name="constant", sampling__every_epochs=0)
    with in_a_terminal(run) as (started, close):
        wait_for(lambda: len(events_of(run, "step")) >= steps if has_begun(run, "step") else False, "steps")
        close()
        started.wait(30)

    assert started.returncode == 130
    done = events_of(run, "step")[-1]["step"]
    (failed,) = events_of(run, "failed")
    assert failed["code"] == "interrupted"
    assert (run / "model" / f"tok-step{done:08d}.safetensors").exists()
    manifest = newest_manifest(RunFolder(run).states())
    assert manifest is not None
    assert manifest.position.step == done


@pytest.mark.parametrize("another", [False, True], ids=["nothing", "a copy"])
def test_a_run_that_is_renamed_while_it_trains_gets_no_more_files_at_its_old_place(
    tmp_path: Path, another: bool
) -> None:
    run, moved = planned(tmp_path, "run", schedule__epochs=500, schedule__name="constant"), tmp_path / "moved"
    with launched(run) as started:
        wait_for(lambda: has_begun(run, "step"), "a step")
        run.rename(moved)
        if another:
            shutil.copytree(moved, run)
            with (run / "log/events.jsonl").open("a", encoding="utf-8") as events:
                events.write(
                    json.dumps({"event": "finished", "unix_seconds": 1.0, "loras": ["model/other.safetensors"]}) + "\n"
                )
        before = contents(run)
        out, _ = started.communicate(timeout=60)

    assert started.returncode == 2
    assert "it was renamed, moved or deleted" in " ".join(out.split())
    assert "other.safetensors" not in out
    assert contents(run) == before
    assert events_of(moved, "failed")[-1]["code"] == "run"


def contents(folder: Path) -> dict[str, int]:
    """Each file in it with its size, but for TensorBoard's, which opens its own anew for each write."""
    files = [path for path in folder.rglob("*") if path.is_file() and ".tfevents." not in path.name]
    return {str(path): path.stat().st_size for path in files}


def test_of_two_at_the_same_moment_one_trains_and_the_other_ends_with_2(tmp_path: Path) -> None:
    run = planned(tmp_path, "run", schedule__epochs=2)
    with launched(run) as one, launched(run) as other:
        outs = [started.communicate(timeout=200)[0] for started in (one, other)]

    assert sorted((one.returncode, other.returncode)) == [0, 2], outs
    refused = outs[0] if one.returncode == 2 else outs[1]
    trained = other if one.returncode == 2 else one
    assert f"{run} is in use: loracle train (process {trained.pid} on " in refused
    steps = [event["step"] for event in events_of(run, "step")]
    assert steps == list(range(1, len(steps) + 1))


def loracle(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-P", "-m", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(words, capture_output=True, text=True, timeout=100, check=False, env=environment)


def test_whatever_writes_into_a_run_is_refused_while_it_trains(tmp_path: Path) -> None:
    run = planned(tmp_path, "run", schedule__epochs=5000, schedule__name="constant")
    with launched(run) as started:
        wait_for(lambda: trainer_pid(run), "the trainer's lock")
        trainer = trainer_pid(run)
        assert trainer is not None
        picture_folder, model = tmp_path / "pictures", tmp_path / "tiny-sd1.safetensors"
        ended = [
            loracle("wizard.cli", "train", run, "--resume"),
            loracle("wizard.cli", "measure", run, "--device", "cpu"),
            loracle("wizard.cli", "export", run, "--to", "onetrainer"),
            loracle(
                "wizard.cli",
                "plan",
                "--images",
                picture_folder,
                "--model",
                model,
                "--name",
                "x",
                "--out",
                run,
                "--overwrite",
            ),
            loracle("trainer", run),
        ]
        refused = [one for one in ended if one.returncode == 2 and "in use" in one.stdout + one.stderr]
        wait_for(lambda: has_begun(run, "step"), "a step")
        started.send_signal(signal.SIGINT)
        started.communicate(timeout=60)

    assert len(refused) == len(ended), ended
    assert len(events_of(run, "started")) == 1
    assert started.returncode == 130


def test_the_trainers_of_measure_and_demo_are_refused_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from trainer.demo import run as demo
    from trainer.training import short_run

    run = planned(tmp_path, "run")
    with writing(RunFolder(run), "loracle train", print):
        codes = [short_run.main([str(run), "--out", str(tmp_path / "events")]), demo.main([str(run)])]

    assert codes == [2, 2]
    assert capsys.readouterr().err.count(f"{run} is in use: loracle train (process {os.getpid()} on ") == 2
    assert not (run / "log").exists()


def test_one_that_is_refused_imports_no_torch(tmp_path: Path) -> None:
    run = planned(tmp_path, "run")
    code = (
        "import sys; from pathlib import Path; from advisor.run_folder.layout import RunFolder\n"
        "from advisor.run_folder.lock import writing; from trainer.__main__ import main\n"
        "with writing(RunFolder(Path(sys.argv[1])), 'loracle train', print): code = main([sys.argv[1]])\n"
        "assert code == 2 and 'torch' not in sys.modules, code"
    )

    ended = subprocess.run([sys.executable, "-c", code, str(run)], capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout) == (0, "")
    assert "is in use" in ended.stderr
    assert not (run / "log").exists()


def test_the_uninterrupted_training_is_the_one_without_processes_too(folder: Path) -> None:
    config = make_config(
        folder, schedule__epochs=2, sampling__prompts=("tok, smile",), sampling__every_epochs=1, sampling__steps=2
    )
    run_training(folder / "here", config)

    assert same(weights(folder / "here"), weights(folder / "whole"))

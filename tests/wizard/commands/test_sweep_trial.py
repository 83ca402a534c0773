"""A trial as a machine of a cluster trains it: a process of its own, asked by JSON, answering by JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from advisor.run_folder.layout import RunFolder
from advisor.settings.config import TrainingConfig
from tests.support.runs import events_of, make_config, run_training, same, weights, write_toml


def asked(run: Path, until: int | None, data: Path, **given: object) -> dict[str, Any]:
    options = {"run": str(run), "until": until, "skip_broken": False, "device": None, "cache_from": None, **given}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "wizard.commands.sweep_trial", json.dumps(options)],
        env={**os.environ, "LORACLE_DATA": str(data), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def planned(place: Path, name: str, config: TrainingConfig) -> RunFolder:
    run = RunFolder(place / name)
    write_toml(run.config, config)
    return run


@pytest.mark.slow
def test_a_trial_pauses_at_an_epoch_and_goes_on_to_what_it_would_have_been(tmp_path: Path) -> None:
    config = make_config(tmp_path, schedule__epochs=4, dataset__repeats=4, sampling__steps=2)
    paused, straight = planned(tmp_path, "paused", config), planned(tmp_path, "straight", config)

    at_rung = asked(paused.path, 1, tmp_path / "data")
    assert at_rung["event"] == "paused"
    assert 0 <= at_rung["score"] <= 1
    assert paused.lora_of_epoch("tok", 1).exists()
    assert paused.has_state()
    assert not events_of(paused.path, "finished")

    ended = asked(paused.path, None, tmp_path / "data")
    run_training(straight.path, config)
    assert ended["outcome"]["outcome"] == "trained"
    assert ended["outcome"]["lora"] is not None
    assert same(weights(paused.path), weights(straight.path))


@pytest.mark.slow
def test_what_is_wrong_with_a_run_is_what_came_of_it(tmp_path: Path) -> None:
    config = make_config(tmp_path, model__path=str(tmp_path / "gone.safetensors"))
    run = planned(tmp_path, "run", config)

    ended = asked(run.path, None, tmp_path / "data")

    assert ended["event"] == "ended"
    assert (ended["outcome"]["outcome"], ended["outcome"]["exit_code"]) == ("failed", 2)
    assert "gone.safetensors" in ended["outcome"]["message"]

"""What is wrong with a command line is told at once, as far as one mistake does not hide another."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from advisor.errors import LoraError
from tests.support.paths import REPOSITORY
from tests.support.runs import make_config, write_toml
from wizard.commands.export import export
from wizard.commands.import_ import import_
from wizard.commands.plan import plan
from wizard.commands.train import train
from wizard.interview.machine_options import MachineOptions
from wizard.interview.request import PlanRequest


def loracle(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-P", "-m", "wizard.cli", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(words, capture_output=True, text=True, timeout=100, check=False, env=environment)


def test_three_bad_settings_and_all_else_that_is_wrong_with_a_plan(tmp_path: Path) -> None:
    ended = loracle(
        "plan", "--images", tmp_path / "none", "--model", tmp_path / "no.safetensors", "--name", "a/b",
        "--vram", "much", "--cpu-threads", "0", "--preset", tmp_path / "no.toml",
        "--set", "network.rank=many", "--set", "x.y=1", "--set", "rank",
    )  # fmt: skip

    assert ended.returncode == 2
    assert ended.stdout == ""
    told = ended.stderr.splitlines()
    for word in ("none", "no.safetensors", "'a/b'", "'much'", "0 threads", "no.toml", "'many'", "x.y", "'rank'"):
        assert sum(word in line for line in told) == 1, (word, told)


def test_three_bad_settings_alone() -> None:
    pictures, model = REPOSITORY / "trainer/demo/files/character", REPOSITORY / "trainer/demo/files/model"
    ended = loracle("plan", "--images", pictures, "--model", model, "--name", "x",
                    "--set", "network.rank=many", "--set", "x.y=1", "--set", "rank")  # fmt: skip

    assert ended.returncode == 2
    for word in ("'many'", "x.y", "'rank'"):
        assert word in ended.stderr


def test_a_run_that_is_missing_hides_no_bad_option(tmp_path: Path) -> None:
    request = PlanRequest(settings=("rank",), machine=MachineOptions(vram="much"))

    with pytest.raises(LoraError) as caught:
        plan(request, run=tmp_path / "none", compare=True, out=tmp_path / "x", save_preset=tmp_path / "y")

    told = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in told] == [
        "--compare shows two plans, and --out and --save-preset write one",
        f"{tmp_path / 'none'} does not exist",
        "'much' is no memory of a card",
        "--set is 'rank'",
    ]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (lambda run: train(run / "none", device="mine"), ("--device", "does not exist")),
        (lambda run: train(run, device="mine"), ("--device", "line 1: there is no setting oops")),
        (lambda run: export(run / "none", to="mine"), ("--to", "does not exist")),
        (lambda run: import_(str(run / "none"), out=run / "x", name="a/b"), ("'a/b'", "none")),
    ],
)
def test_other_commands_tell_all_too(tmp_path: Path, command: object, words: tuple[str, str]) -> None:
    config = write_toml(tmp_path / "loracle.toml", make_config(tmp_path))
    config.write_text(f"oops = 3\n{config.read_text('utf-8')}", "utf-8")

    with pytest.raises(LoraError) as caught:
        command(tmp_path)  # type: ignore[operator]

    told = str(caught.value)
    assert all(word in told for word in words), told

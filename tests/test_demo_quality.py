"""The demo teaches the character: measured, with the command that a user types.

One training is shared by the quick tests; those with the marker `slow` make their own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

pytestmark = pytest.mark.timeout(1800)
"""One training takes about 80 s of a processor: five minutes where it is shared by several."""

LEARNED, NOT_YET = 0.8, 0.45
"""Identity: real pictures have 0.96, the base model 0.06, this LoRA 0.83 (README)."""
LEAKS = 4.65
"""Of 255: half of what pictures without the trigger changed by when nobody chose an epoch (9.3)."""
OBEYS = 0.85


def run(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "wizard.cli", *map(str, arguments)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "LORACLE_DATA": str(folder / "data")}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False)


def demo(folder: Path, run_folder: Path) -> dict[str, Any]:
    result = run("demo", "--out", run_folder, "--json", folder=folder)
    assert result.returncode == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def model_hash(lora: Path) -> str:
    with safe_open(lora, framework="pt") as file:
        return str(file.metadata()["sshs_model_hash"])


def changed_run(finished: Path, target: Path, **settings: str) -> Path:
    """The demo's run again, with other values; not trained yet."""
    text = (finished / "loracle.toml").read_text("utf-8")
    for name, value in settings.items():
        lines = [f"{name} = {value}" if line.startswith(f"{name} = ") else line for line in text.splitlines()]
        assert lines != text.splitlines(), f"{name} stands in the file and is changed"
        text = "\n".join(lines) + "\n"
    target.mkdir()
    (target / "loracle.toml").write_text(text, "utf-8")
    return target


def trained_scores(run_folder: Path, folder: Path) -> dict[str, float]:
    """What a run's pictures score after training it."""
    result = run("train", run_folder, "--json", folder=folder)
    assert result.returncode == 0, result.stderr
    command = [sys.executable, "-P", "-m", "trainer.demo.run", str(run_folder)]
    subprocess.run(command, check=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    scores: dict[str, float] = json.loads((run_folder / "log" / "demo.json").read_text("utf-8"))
    return scores


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("demo ü")
    return folder / "run", demo(folder, folder / "run")


def test_the_lora_teaches_the_character(finished: tuple[Path, dict[str, Any]]) -> None:
    identity = finished[1]["identity"]

    assert identity["before"] < NOT_YET
    assert identity["after"] >= LEARNED
    assert identity["real"] > 0.9


def test_pictures_without_the_trigger_stay_nearly_what_they_were(finished: tuple[Path, dict[str, Any]]) -> None:
    assert finished[1]["leak"] <= LEAKS


def test_everything_else_still_follows_the_prompt(finished: tuple[Path, dict[str, Any]]) -> None:
    obedience = finished[1]["obedience"]

    assert obedience["before"] >= 0.9
    assert obedience["after"] >= OBEYS


def test_the_demo_leaves_what_it_promises(finished: tuple[Path, dict[str, Any]]) -> None:
    run_folder, document = finished

    assert document["run"] == str(run_folder)
    assert (run_folder / "report.html").stat().st_size > 100_000
    assert (run_folder / "samples" / "before_after.png").exists()
    assert [Path(lora).name for lora in document["loras"]][-1] == "zuvi.safetensors"
    assert document["reload_check"]["missing"] == document["reload_check"]["unexpected"] == 0


@pytest.mark.slow
def test_with_learning_rate_0_nothing_is_taught(finished: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    rates = dict.fromkeys(("learning_rate", "unet_learning_rate"), "0.0")
    quick = {"text_encoder_learning_rate": "0.0", "max_steps": "3", "steps": "4"}
    still = changed_run(finished[0], tmp_path / "still", **rates, **quick)

    scores = trained_scores(still, tmp_path)

    assert scores["identity_after"] == scores["identity_before"]
    assert scores["leak"] == 0


@pytest.mark.slow
def test_the_same_seed_gives_the_same_tensors(finished: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    again = demo(tmp_path, tmp_path / "again")

    first = finished[0] / "model" / "zuvi.safetensors"
    assert model_hash(first) == model_hash(tmp_path / "again" / "model" / "zuvi.safetensors")
    assert again["identity"] == finished[1]["identity"]


@pytest.mark.slow
def test_a_burnt_run_obeys_no_more(finished: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    rates = dict.fromkeys(("learning_rate", "unet_learning_rate"), "0.02")
    burnt = changed_run(finished[0], tmp_path / "burnt", **rates, text_encoder_learning_rate="0.01")

    scores = trained_scores(burnt, tmp_path)

    assert scores["obedience_after"] < finished[1]["obedience"]["after"] - 0.2

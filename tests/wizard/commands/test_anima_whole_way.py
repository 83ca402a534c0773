"""Anima from its three files to a report, by the commands that a user types, on a small model of random weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from safetensors.torch import load_file

from advisor.estimate.disk import lora_bytes
from advisor.families.anima import ANIMA
from advisor.run_folder.layout import RunFolder
from tests.support.killed import Moment, go_on, kill_at, launched
from tests.support.paths import REPOSITORY
from tests.support.runs import same, weights
from tests.support.tiny_anima import TINY_ANIMA, write_tiny_anima

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")

CHOSEN = {
    "dataset.resolution_px": 128, "dataset.min_bucket_px": 64, "dataset.repeats": 1, "network.rank": 4,
    "schedule.epochs": 2, "schedule.batch_size": 1, "memory.compute_dtype": "float32", "sampling.steps": 2,
    "sampling.prompts": "mira, smile",
}  # fmt: skip


def loracle(*words: str | Path) -> str:
    """What the command prints; it must end well."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-P", "-m", "wizard.cli", *map(str, words)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LORACLE_DATA", str(tmp_path / "data"))
    for number in range(3):
        picture = tmp_path / "pictures" / f"{number}.png"
        picture.parent.mkdir(exist_ok=True)
        Image.new("RGB", (128, 128), (80 * number, 90, 120)).save(picture)
        picture.with_suffix(".txt").write_text(f"mira, 1girl, pose {number}", encoding="utf-8")
    return write_tiny_anima(tmp_path / "models").denoiser


def planned(model: Path, run: Path) -> dict[str, Any]:
    settings = [word for path, value in CHOSEN.items() for word in ("--set", f"{path}={value}")]
    images = model.parent.parent / "pictures"
    printed = loracle("plan", "--model", model, "--images", images, "--name", "mira", "--out", run, "--json", *settings)
    document: dict[str, Any] = json.loads(printed)
    return document


def test_it_is_planned_trained_killed_resumed_drawn_and_reported(model: Path, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    document = planned(model, whole)
    planned(model, broken)

    loracle("train", whole, "--device", "cpu")
    with launched(broken) as started:
        kill_at(broken, Moment("launcher", "step"), started)
        go_on(broken)

    assert same(weights(whole, "mira"), weights(broken, "mira"))
    config = RunFolder(whole).read_config()
    lora = whole / "model" / "mira.safetensors"
    assert lora.stat().st_size == document["estimate"]["lora_bytes"] == lora_bytes(config, TINY_ANIMA)
    names = {target.original for target in ANIMA.lora_targets(TINY_ANIMA)}
    assert {name.removeprefix("diffusion_model.").rpartition(".lora_")[0] for name in load_file(lora)} == names
    drawn = json.loads(loracle("grid", whole, "--seeds", "1", "--json"))
    pictures = list((whole / "grid" / "pictures").glob("*.png"))
    assert drawn["model"] == str(model)
    assert len(pictures) >= 3
    assert len(pictures) % 3 == 0, "of the base model and of two epochs"
    loracle("report", whole)
    assert "Anima" in (whole / "report.html").read_text(encoding="utf-8")

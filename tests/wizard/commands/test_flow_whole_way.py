"""Flow matching bases from their three files to a report, by the commands that a user types, on small random models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from safetensors.torch import load_file

from advisor.estimate.disk import lora_bytes
from advisor.families import family
from advisor.families.structure import Structure
from advisor.run_folder.layout import RunFolder
from tests.support.killed import Moment, go_on, kill_at, launched
from tests.support.paths import REPOSITORY
from tests.support.runs import same, weights
from tests.support.tiny_anima import TINY_ANIMA, write_tiny_anima
from tests.support.tiny_z_image import TINY_Z_IMAGE, write_tiny_z_image
from trainer.models.part_files import PartFiles

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


@dataclass(frozen=True)
class Base:
    """A small base model."""

    family: str
    structure: Structure
    write: Callable[[Path], PartFiles]


BASES = [
    Base("anima", TINY_ANIMA, write_tiny_anima),
    pytest.param(Base("z_image", TINY_Z_IMAGE, write_tiny_z_image), marks=pytest.mark.slow),
]


@pytest.fixture(params=BASES, ids=lambda base: base.family)
def base(request: pytest.FixtureRequest) -> Base:
    found: Base = request.param
    return found


@pytest.fixture
def model(base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LORACLE_DATA", str(tmp_path / "data"))
    for number in range(3):
        picture = tmp_path / "pictures" / f"{number}.png"
        picture.parent.mkdir(exist_ok=True)
        Image.new("RGB", (128, 128), (80 * number, 90, 120)).save(picture)
        picture.with_suffix(".txt").write_text(f"mira, 1girl, pose {number}", encoding="utf-8")
    return base.write(tmp_path / "models").denoiser


def planned(model: Path, run: Path) -> dict[str, Any]:
    settings = [word for path, value in CHOSEN.items() for word in ("--set", f"{path}={value}")]
    images = model.parent.parent / "pictures"
    printed = loracle("plan", "--model", model, "--images", images, "--name", "mira", "--out", run, "--json", *settings)
    document: dict[str, Any] = json.loads(printed)
    return document


def test_it_is_planned_trained_killed_resumed_drawn_and_reported(base: Base, model: Path, tmp_path: Path) -> None:
    known = family(base.family)
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
    assert lora.stat().st_size == document["estimate"]["lora_bytes"] == lora_bytes(config, base.structure)
    names = {target.original for target in known.lora_targets(base.structure)}
    assert {name.removeprefix("diffusion_model.").rpartition(".lora_")[0] for name in load_file(lora)} == names
    drawn = json.loads(loracle("grid", whole, "--seeds", "1", "--json"))
    pictures = list((whole / "grid" / "pictures").glob("*.png"))
    assert drawn["model"] == str(model)
    assert len(pictures) >= 3
    assert len(pictures) % 3 == 0, "of the base model and of two epochs"
    loracle("report", whole)
    assert known.title in (whole / "report.html").read_text(encoding="utf-8")

"""What a user types, from pictures and a model to a LoRA and its report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.pictures import make_pictures
from tests.support.tiny import tiny_sd1_checkpoint


def loracle(*arguments: str | Path, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-P", "-m", "wizard.cli", *map(str, arguments), "--json"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "LORACLE_DATA": str(folder / "data"), "OMP_NUM_THREADS": "1"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False)
    assert result.returncode == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_from_pictures_to_a_lora_and_its_report(tmp_path: Path) -> None:
    folder = tmp_path / "Möwe 🦊"
    pictures, run = folder / "my pictures", folder / "run"
    make_pictures(pictures, count=3, sizes=[(96, 96)], captions="mia, smile")
    model = tiny_sd1_checkpoint(folder)
    settings = ("dataset.resolution_px=64", "dataset.min_bucket_px=64", "dataset.repeats=1", "schedule.epochs=2")

    planned = loracle(
        "plan", "--images", pictures, "--model", model, "--name", "mia", "--out", run,
        *(word for setting in settings for word in ("--set", setting)), folder=folder,
    )  # fmt: skip
    trained = loracle("train", run, "--device", "cpu", folder=folder)
    again = loracle("plan", run, folder=folder)

    lora = run / "model" / "mia.safetensors"
    assert trained["loras"][-1] == "model/mia.safetensors"
    assert trained["steps"] == planned["estimate"]["steps"]
    assert lora.stat().st_size == planned["estimate"]["lora_bytes"]
    assert trained["reload_check"]["missing"] == trained["reload_check"]["unexpected"] == 0
    assert "mia.safetensors" in (run / "report.html").read_text("utf-8")
    assert again["config"] == planned["config"]

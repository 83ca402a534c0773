"""The demo's character taught to the small flow model by the commands that a user types, and what it learned."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from advisor.run_folder.demo_scores import DemoScores
from advisor.run_folder.layout import RunFolder
from trainer.demo.assets import CHARACTER_FOLDER, CLASS_FOLDER, TRIGGER

PRESET_FILE = Path(__file__).with_name("preset.toml")


def teach(model: Path, run: Path) -> DemoScores:
    """Plan, train, and draw before and after from the same seeds.

    Args:
        model: The denoiser's file; the text encoder and the VAE lie beside it.
        run: The run folder, which must not be there yet.
    """
    others = f"dataset.regularization_images={CLASS_FOLDER}"
    run.parent.mkdir(parents=True, exist_ok=True)
    wizard = "wizard.cli"
    _python(
        wizard, "plan", "--model", model, "--images", CHARACTER_FOLDER, "--name", TRIGGER, "--preset", PRESET_FILE,
        "--set", others, "--out", run, folder=run.parent,
    )  # fmt: skip
    _python(wizard, "train", run, "--device", "cpu", folder=run.parent)
    _python("trainer.demo.run", run, folder=run.parent)
    scores = RunFolder(run).read_demo_scores()
    assert scores is not None
    return scores


def _python(module: str, *words: str | Path, folder: Path) -> None:
    """Run a module of ours; what it says goes to the terminal.

    Raises:
        subprocess.CalledProcessError: it did not end well.
    """
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "LORACLE_DATA": str(folder / "data")}
    subprocess.run([sys.executable, "-P", "-m", module, *map(str, words)], check=True, env=environment)

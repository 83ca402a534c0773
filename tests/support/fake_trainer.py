"""A script that stands in for the trainer, a run folder for it, and a screen that remembers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from advisor.settings.config import changed
from tests.support.runs import make_config, write_toml
from wizard.show.progress import TrainingProgress

SCRIPT_HEAD = """
import json, os, signal, sys, time
run = sys.argv[1]
os.makedirs(os.path.join(run, "log"), exist_ok=True)
def send(event, **fields):
    with open(os.path.join(run, "log", "events.jsonl"), "a", encoding="utf-8") as file:
        file.write(json.dumps({"t": time.time(), "event": event, **fields}) + "\\n")
def step(number):
    send("step", step=number, epoch=1, loss=0.1 * number, seconds=0.5, memory_bytes=1000 * number)
"""
"""Begins a script that stands in for the trainer: `run`, and functions that write events."""


class SilentScreen:
    """A screen that remembers what it was shown."""

    def __init__(self) -> None:
        self.shown: list[TrainingProgress] = []
        self.notes: list[str] = []
        self.is_closed = False

    def show(self, progress: TrainingProgress) -> None:
        self.shown.append(progress)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def close(self) -> None:
        self.is_closed = True


def run_folder(tmp_path: Path, **chosen: Any) -> Path:
    """A planned run of batch size 4, with settings as `group__name`."""
    config = make_config(tmp_path, schedule__batch_size=4, memory__preset="low")
    run = tmp_path / "run"
    decisions = [
        {"path": "memory.gradient_checkpointing", "value": False, "reason": "r", "origin": "rule", "source": {}},
        {"path": "schedule.batch_size", "value": 4, "reason": "r", "origin": "answer", "source": {}},
        {"path": "dataset.resolution_px", "value": 128, "reason": "r", "origin": "answer", "source": {}},
    ]
    for path, value in chosen.items():
        config = changed(config, path.replace("__", "."), value)
    write_toml(run / "loracle.toml", config)
    (run / "plan.json").write_text(json.dumps({"preset": "low", "decisions": decisions}), encoding="utf-8")
    return run

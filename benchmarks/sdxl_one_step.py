"""Whether full-size SDXL can be trained on this machine at all: loads, caches, makes one optimizer step, saves, checks.

    python -m benchmarks.sdxl_one_step                        makes a checkpoint of random weights (7 GB) for it
    python -m benchmarks.sdxl_one_step --checkpoint FILE --dtypes bfloat16

One picture at 512 px, the U-Net alone, rank 16, gradient checkpointing, text and latents cached, on the processor. Each
dtype is a process of its own, whose peak memory is told by the system. The figures of each go into
benchmarks/results/sdxl_one_step.json; those of a dtype that was not asked for stay as they are.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from advisor.run_folder.events import AnyEvent, Finished, PhaseBegun, StepDone, WarningGiven
from advisor.run_folder.layout import RunFolder
from advisor.settings.config import TrainingConfig, parse_config
from benchmarks.make_checkpoint import write_checkpoint
from benchmarks.scan_many import machine
from trainer.runtime.events import Events
from trainer.runtime.interrupts import Interrupt
from trainer.training.prepare import Options, prepare
from trainer.training.train import train

RESULT = Path(__file__).parent / "results" / "sdxl_one_step.json"
DTYPES = ("bfloat16", "float32")
SIDE_PX = 512


def make_config(folder: Path, checkpoint: Path, dtype: str) -> TrainingConfig:
    """One step; the picture is made in `folder`."""
    images = folder / "pictures"
    images.mkdir(exist_ok=True)
    Image.linear_gradient("L").resize((SIDE_PX, SIDE_PX)).convert("RGB").save(images / "one.png")
    (images / "one.txt").write_text("tok, 1girl", encoding="utf-8")
    return parse_config(
        {
            "model": {"path": str(checkpoint), "family": "sdxl", "prediction": "epsilon"},
            "dataset": {"images": str(images), "resolution_px": SIDE_PX, "min_bucket_px": 256, "max_bucket_px": 1024},
            "network": {"rank": 16, "alpha": 8.0},
            "optimizer": {
                "learning_rate": 1e-4,
                "unet_learning_rate": 1e-4,
                "text_encoder_learning_rate": 0.0,
            },
            "schedule": {"name": "constant", "epochs": 1, "batch_size": 1},
            "memory": {"preset": "cpu", "compute_dtype": dtype, "gradient_checkpointing": True, "cache_text": True},
            "saving": {"name": "tok"},
            "run": {"trigger": "tok"},
        }
    )


def measure(checkpoint: Path, dtype: str) -> dict[str, Any]:
    """The whole training in this process: its parts' seconds, the step's loss, the peak of memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Events(folder / "run") as sent:
            config = make_config(folder, checkpoint, dtype)
            train(prepare(folder / "run", config, Options(), events=sent, interrupt=Interrupt()))
        events = RunFolder(folder / "run").read_events().events
    step = next(event for event in events if isinstance(event, StepDone))
    end = next(event for event in events if isinstance(event, Finished))
    return {
        "command": f"python -m benchmarks.sdxl_one_step --dtypes {dtype}",
        "machine": machine(),
        "compute_threads": torch.get_num_threads(),
        "steps": end.steps,
        "loss": step.loss,
        "phase_seconds": phase_seconds(events),
        "peak_memory_gib": round(end.peak_memory_bytes / 2**30, 2),
        "reload_check": None if end.reload_check is None else end.reload_check.model_dump(),
        "warnings": [event.message for event in events if isinstance(event, WarningGiven)],
    }


def phase_seconds(events: Sequence[AnyEvent]) -> dict[str, float]:
    """How long each phase took: until the next one began, or the end."""
    starts = [(event.name, event.unix_seconds) for event in events if isinstance(event, PhaseBegun)]
    ends = [when for _, when in starts[1:]] + [events[-1].unix_seconds]
    found: dict[str, float] = {}
    for (name, begin), end in zip(starts, ends, strict=True):
        found[name] = round(found.get(name, 0.0) + end - begin, 1)
    return found


def run_apart(checkpoint: Path, dtype: str) -> dict[str, Any]:
    """`measure` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.sdxl_one_step", "--checkpoint", str(checkpoint), "--measure", dtype]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    """Measure each dtype and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--checkpoint", type=Path, help="a full-size SDXL file; left out, one is made")
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, default=DTYPES)
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--measure", choices=DTYPES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure is not None:
        print(json.dumps(measure(arguments.checkpoint, arguments.measure)))
        return
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = arguments.checkpoint
        if checkpoint is None:
            checkpoint = Path(folder) / "sdxl.safetensors"
            write_checkpoint(checkpoint, "sdxl")
        runs = {dtype: run_apart(checkpoint, dtype) for dtype in arguments.dtypes}
    known = json.loads(arguments.out.read_text(encoding="utf-8")) if arguments.out.exists() else {}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(known | runs, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(runs, indent=2))


if __name__ == "__main__":
    main()

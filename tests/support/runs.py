"""Small trainings for tests: a tiny base model, a few pictures, a run folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from advisor.settings.config import TrainingConfig, changed, parse_config
from tests.support.pictures import make_pictures
from tests.support.tiny import tiny_sd1_checkpoint, tiny_sd2_checkpoint, tiny_sdxl_checkpoint
from trainer.runtime.events import Events
from trainer.runtime.interrupts import Interrupt
from trainer.training.prepare import Options, prepare
from trainer.training.train import train

SIZES = ((160, 128), (128, 160), (300, 200), (128, 128))
"""Of the pictures, in turn; in two orientations and more, so that there are several buckets."""


CHECKPOINTS: Mapping[str, Callable[[Path], Path]] = {
    "sd1": tiny_sd1_checkpoint,
    "sd2": tiny_sd2_checkpoint,
    "sdxl": tiny_sdxl_checkpoint,
}


def make_config(folder: Path, *, pictures: int = 6, family: str = "sd1", **settings: Any) -> TrainingConfig:
    """A configuration that trains on the CPU in seconds; the base model and the pictures are made in `folder`.

    Args:
        settings: by path with `__` for the point, e.g. `schedule__epochs=3`.
    """
    images = folder / "pictures"
    if not images.exists():
        make_pictures(images, pictures, sizes=SIZES)
    checkpoint = folder / f"tiny-{family}.safetensors"
    if not checkpoint.exists():
        CHECKPOINTS[family](folder)
    config = parse_config(
        {
            "model": {"path": str(checkpoint), "family": family},
            "dataset": {
                "images": str(images),
                "resolution_px": 128,
                "min_bucket_px": 64,
                "max_bucket_px": 256,
                "shuffle_captions": True,
                "keep_tokens": 1,
            },
            "network": {"rank": 4, "alpha": 2.0},
            "optimizer": {"learning_rate": 1e-3, "unet_learning_rate": 1e-3, "text_encoder_learning_rate": 5e-4},
            "schedule": {"epochs": 2, "batch_size": 2},
            "memory": {"preset": "cpu"},
            "saving": {"name": "tok"},
            "run": {"trigger": "tok"},
        }
    )
    for path, value in settings.items():
        config = changed(config, path.replace("__", "."), value)
    return config


def run_training(run: Path, config: TrainingConfig, *, interrupt: Interrupt | None = None, **options: Any) -> None:
    """Prepare and train in this process."""
    with Events(run) as events:
        given = Options(threads=1, **options)
        train(prepare(run, config, given, events=events, interrupt=interrupt or Interrupt()))


OF_BATCHES = ("batch_larger_than_bucket", "short_batches")
"""Warnings that so few pictures in so many buckets always earn; left out of those that tests look at."""
OF_SMALL_PICTURES = ("much_cropped",)
"""Warnings that pictures of two or three steps a side always earn; left out too."""


OF_COURSE = OF_BATCHES + OF_SMALL_PICTURES


def events_of(run: Path, kind: str | None = None) -> list[dict[str, Any]]:
    """The run's events, or those of one kind: of warnings, those that are no matter of course."""
    lines = (run / "log" / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    if kind is None:
        return events
    return [event for event in events if event["event"] == kind and event.get("code") not in OF_COURSE]


def weights(run: Path, name: str = "tok") -> dict[str, Tensor]:
    """A LoRA of the run's."""
    tensors: dict[str, Tensor] = load_file(run / "model" / f"{name}.safetensors")
    return tensors


def metadata(path: Path) -> dict[str, str]:
    """What a file tells of itself."""
    with safe_open(path, framework="pt") as file:
        return dict(file.metadata())


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Whether all bytes are."""
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def run_material(finished: tuple[Path, TrainingConfig]) -> Path:
    """The folder that a finished run was made of."""
    return Path(finished[1].model.path).parent


def write_toml(path: Path, config: TrainingConfig) -> Path:
    """The configuration as TOML, whose strings, numbers and lists look as JSON's do here."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = list[str]()
    for group, values in config.model_dump(mode="json").items():
        lines.append(f"[{group}]")
        lines += [f"{name} = {_toml(value)}" for name, value in values.items() if value is not None]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name} = {_toml(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)

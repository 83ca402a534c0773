"""Hand-made configurations for exports: what the tutorial's presets come to for thirty pictures of a character."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from advisor.config import TrainingConfig, parse_config
from templates.kohya_settings import Layout


def sample_config(images: Path | str = "/pictures", /, **groups: Any) -> TrainingConfig:
    """SD1.x on a card with 8 GB; groups of settings may be given, e.g. `network={"rank": 64}`."""
    tree: dict[str, dict[str, Any]] = {
        "model": {"path": "/models/base.safetensors", "family": "sd1", "lineage": "nai", "clip_skip": 2},
        "dataset": {"images": str(images), "repeats": 20},
        "network": {"rank": 32, "alpha": 16.0},
        "schedule": {"batch_size": 2, "warmup_share": 0.05},
        "loss": {"min_snr_gamma": 5.0},
        "memory": {"preset": "medium", "compute_dtype": "bfloat16", "base_dtype": "bfloat16"},
        "machine": {"cpu_threads": 2},
        "saving": {"name": "fox"},
        "run": {"trigger": "foxgirl"},
    }
    for group, settings in groups.items():
        tree.setdefault(group, {}).update(settings)
    return parse_config(tree)


MEDIUM: dict[str, Any] = {}
HIGH: dict[str, Any] = {
    "dataset": {"resolution_px": 576},
    "schedule": {"batch_size": 4},
    "memory": {"preset": "high"},
}
"""The tutorial's two presets."""
PRESETS = {"medium": MEDIUM, "high": HIGH}

LAYOUT = Layout(
    images="/runs/fox/exports/kohya/img",
    regularization="",
    log="/runs/fox/exports/kohya/log",
    output="/runs/fox/exports/kohya/model",
    model="/models/base.safetensors",
    vae="",
    weights="",
    exposures=600,
)
"""Where the files of an export are, and thirty pictures shown twenty times each."""

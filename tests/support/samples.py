"""What exports are tried on: a hand-made configuration, and the whole files under goldens/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from advisor.settings.config import TrainingConfig, parse_config
from templates.exporting.derived import Length
from templates.exporting.proposed_prompts import without_pictures
from templates.kohya.export_gui import render_gui
from templates.kohya.export_gui_values import gui_settings
from templates.kohya.export_layout import ExportLayout
from templates.native.loracle_toml import render_config
from tests.support.export_strategies import plan_of
from tests.support.factories import make_plan_config
from tests.support.paths import GOLDENS


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


REASON = (
    "30 pictures: this holds a face and a costume, and has a reason that is long enough to be wrapped onto two lines"
)

"""Whole files as they are to be written; `python -m tests.support.samples` writes them anew after a change."""

LAYOUT = ExportLayout(
    images="/runs/fox/exports/kohya/img",
    regularization="",
    log="/runs/fox/exports/kohya/log",
    output="/runs/fox/exports/kohya/model",
    model="/models/base.safetensors",
    vae="",
    weights="",
    length=Length(steps_per_epoch=150, steps=1500),
)
"""Where the files of an export are, and thirty pictures shown twenty times each."""


def golden_texts() -> dict[str, str]:
    """Every golden file by its name, as it would be written now."""
    plans = {"medium": {"vram_gib": 8.0}, "high": {"vram_gib": 12.0}}
    files = {
        f"kohya-gui-{name}.json": render_gui(gui_settings(without_pictures(make_plan_config(**facts)), LAYOUT))
        for name, facts in plans.items()
    }
    return files | {"loracle.toml": render_config(plan_of(sample_config(), REASON))}


if __name__ == "__main__":
    for name, text in golden_texts().items():
        (GOLDENS / name).write_text(text, "utf-8", newline="\n")

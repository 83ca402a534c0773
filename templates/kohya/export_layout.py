"""Where the files of an export for kohya's trainers are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from advisor.settings.config import TrainingConfig
from templates.exporting.derived import Length
from templates.exporting.paths import located, located_model
from templates.exporting.separate_parts import separate_parts


@dataclass(frozen=True)
class ExportLayout:
    """Paths, and how long the training is."""

    images: str
    regularization: str
    """Empty: there are none."""
    log: str
    output: str
    model: str
    vae: str
    weights: str
    """A LoRA to go on from; empty: none."""
    length: Length | None
    """None where the images are not on this machine."""
    text_encoder: str = ""
    """Empty where it is in the base model."""


def export_layout(config: TrainingConfig, run: Path, home: Path, length: Length | None) -> ExportLayout:
    """Where everything of an export under `home` is."""
    network, dataset = config.network, config.dataset
    parts = separate_parts(config, run)
    return ExportLayout(
        images=str(home / "img"),
        regularization=str(home / "reg") if dataset.regularization_images else "",
        log=str(home / "log"),
        output=str(home / "model"),
        model=located_model(config.model.path, run),
        vae=parts.vae,
        weights=str(located(network.start_from, run)) if network.start_from else "",
        length=length,
        text_encoder=parts.text_encoder,
    )


def with_slashes(layout: ExportLayout) -> ExportLayout:
    """With forward slashes: Windows takes them too, and the TOML reader of sd-scripts has had trouble with others."""
    names = ("images", "regularization", "log", "output", "model", "vae", "weights", "text_encoder")
    slashed: dict[str, Any] = {name: Path(found).as_posix() for name in names if (found := getattr(layout, name))}
    return replace(layout, **slashed)

"""The text encoder and the VAE of a base model whose makers publish them as files of their own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from advisor.checkpoints.identify import identify
from advisor.errors import ModelError
from advisor.families import family
from advisor.families.part_files import PartKind
from advisor.files import is_there
from advisor.settings.config import TrainingConfig
from templates.exporting.paths import located

MODEL_FILE = ".safetensors"


@dataclass(frozen=True)
class SeparateParts:
    """Where they are; empty where nothing names one and none is found."""

    text_encoder: str = ""
    vae: str = ""


def separate_parts(config: TrainingConfig, run: Path) -> SeparateParts:
    """The files that the configuration names, else those that are found beside the base model, as training has it."""
    parts = family(config.model.family).separate_parts
    given: dict[PartKind, str | None] = {"text_encoder": config.model.text_encoder_path, "vae": config.model.vae_path}
    named = {kind: str(located(path, run)) for kind, path in given.items() if path}
    found = _found(located(config.model.path, run)) if any(part.kind not in named for part in parts) else {}
    return SeparateParts(**{kind: path for kind, path in {**found, **named}.items() if path})


def is_file_name(path: str) -> bool:
    """Whether it names a file of a model and not a folder, be it on another machine."""
    return path.lower().endswith(MODEL_FILE)


def _found(model: Path) -> dict[PartKind, str | None]:
    try:
        return {part.kind: part.path for part in identify(model).part_files} if is_there(model) else {}
    except ModelError:
        return {}

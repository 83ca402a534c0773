"""Paths as a configuration names them, resolved for a trainer that runs in another folder."""

from __future__ import annotations

import os
import re
from pathlib import Path, PureWindowsPath

from advisor.files import is_there
from advisor.settings.config import TrainingConfig

HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
"""`owner/name` on Hugging Face, as all these trainers take it."""


def absolute(path: Path) -> Path:
    """From the root, without `..`; links stay links, which `Path.resolve` would follow."""
    return Path(os.path.abspath(path))  # noqa: PTH100


def located(path: str, run: Path) -> Path:
    """A path of the configuration: absolute, be it only on another system, or relative to the run folder."""
    is_foreign = PureWindowsPath(path).is_absolute() and not Path(path).is_absolute()
    return Path(path) if is_foreign else absolute(run / path)


def located_posix(path: str | None, run: Path) -> str:
    """The same with forward slashes; empty for None and for an empty path."""
    return located(path, run).as_posix() if path else ""


def located_model(path: str, run: Path) -> str:
    """The base model likewise; a name on Hugging Face, which is no path, and an empty one stay as they are."""
    if not path:
        return ""
    found = located(path, run)
    return path if HUB_NAME.fullmatch(path) and not is_there(found) else str(found)


def named_images(config: TrainingConfig) -> str:
    """The folder of the images for a sentence, be it that there is none."""
    return config.dataset.images or "no folder is named"

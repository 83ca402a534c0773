"""What several test files train with: one base model and pictures for each, and one run."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.settings.config import TrainingConfig
from tests.support.runs import make_config, run_training


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a base model and pictures that tests only read."""
    folder = tmp_path_factory.mktemp("material")
    make_config(folder)
    return folder


@pytest.fixture(scope="module")
def finished(material: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainingConfig]:
    """A run of two epochs, and its configuration."""
    run, config = tmp_path_factory.mktemp("finished") / "run", make_config(material)
    run_training(run, config)
    return run, config

"""Grids of a tiny base model for tests: LoRAs of random weights, an epoch each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from advisor.run_folder.grids.grid_paths import GridPaths
from advisor.settings.config import NetworkConfig, TrainingConfig
from tests.support.runs import make_config
from trainer.adapters.network import Network
from trainer.evaluate.cells import EpochLora
from trainer.models.families.family import BaseModel


def random_lora(base: BaseModel, path: Path, *, seed: int, size: float = 0.05) -> Path:
    """A LoRA file of random weights, all of them about `size`."""
    network = Network.attach(base, NetworkConfig(rank=2, alpha=2.0), text_encoder=True)
    network.detach()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=size)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(network.lora_state(torch.float32), path)
    return path


def epoch_loras(base: BaseModel, folder: Path, epochs: Sequence[int] = (1, 2)) -> tuple[EpochLora, ...]:
    """A LoRA for each epoch, all different."""
    return tuple(
        EpochLora(epoch, random_lora(base, folder / f"tok-{epoch:06d}.safetensors", seed=epoch)) for epoch in epochs
    )


def grid_config(folder: Path, **settings: Any) -> TrainingConfig:
    """A configuration by which a tiny model draws small pictures in moments."""
    usual: dict[str, Any] = {"dataset__resolution_px": 64, "sampling__steps": 2, "sampling__guidance": 3.0}
    return make_config(folder, **usual | settings)


def grid_folder(folder: Path) -> GridPaths:
    """A grid that belongs to no run."""
    return GridPaths.alone(folder / "grid")

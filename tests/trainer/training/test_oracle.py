"""SD2 and SDXL, with epsilon and v-prediction, against a plain step with stock diffusers, transformers and peft."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from advisor.settings.config import DatasetConfig, ModelConfig, NetworkConfig, SavingConfig, TrainingConfig
from tests.support.oracle import Oracle, Task
from tests.support.tiny import tiny_sd2_folder, tiny_sdxl_folder
from trainer.adapters.network import Network
from trainer.diffusion.noise import noise_schedule
from trainer.models.families.family import BaseModel
from trainer.models.load import load_base_model
from trainer.training.step import Batch, training_loss

CPU = torch.device("cpu")
LOSS_TOLERANCE = 1e-5
GRADIENT_TOLERANCE = 1e-4
CAPTIONS = ("cat, ab", "a very long caption, which is cut off where the text encoder ends")
SIZES = torch.tensor([[900.0, 640, 0, 12, 64, 128], [64, 128, 3, 0, 64, 128]])
FOLDERS: dict[str, Callable[..., Path]] = {"sd2": tiny_sd2_folder, "sdxl": tiny_sdxl_folder}
RANK = 4


@dataclass(frozen=True)
class Case:
    name: str
    family: str
    prediction: str = "epsilon"
    loss: dict[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> TrainingConfig:
        model = {"path": "x", "family": self.family, "prediction": self.prediction}
        config: dict[str, Any] = {"model": model, "loss": self.loss}
        return TrainingConfig.model_validate(
            config | {"dataset": DatasetConfig(images="x"), "saving": SavingConfig(name="x")}
        )

    def task(self, base: BaseModel) -> Task:
        rng = torch.Generator().manual_seed(5)
        shape = (2, base.structure.vae.latent_channels, 16, 32)
        return Task(
            latents=torch.randn(shape, generator=rng),
            noise=torch.randn(shape, generator=rng),
            timesteps=torch.tensor([999 if self.loss.get("zero_terminal_snr") else 731, 37]),
            captions=CAPTIONS,
            sizes=SIZES,
            prediction=self.prediction,
            zero_terminal_snr=self.loss.get("zero_terminal_snr", False),
            min_snr_gamma=self.loss.get("min_snr_gamma", 0.0),
        )


CASES = (
    Case("sdxl_eps", "sdxl"),
    Case("sdxl_eps_min_snr", "sdxl", loss={"min_snr_gamma": 5.0}),
    Case("sdxl_v", "sdxl", "v_prediction"),
    Case("sdxl_v_zero_snr", "sdxl", "v_prediction", {"zero_terminal_snr": True}),
    Case("sdxl_v_zero_snr_min_snr", "sdxl", "v_prediction", {"zero_terminal_snr": True, "min_snr_gamma": 5.0}),
    Case("sd2_eps", "sd2"),
    Case("sd2_v", "sd2", "v_prediction"),
    Case("sd2_v_min_snr", "sd2", "v_prediction", {"min_snr_gamma": 5.0}),
)


def relative(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).norm() / wanted.norm())


def attach(base: BaseModel) -> Network:
    """Adapters that change the answer, each unlike all others."""
    network = Network.attach(base, NetworkConfig(rank=RANK, alpha=RANK), text_encoder=True)
    rng = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter.data, std=0.1, generator=rng)
    return network


def batch_of(base: BaseModel, task: Task) -> Batch:
    return Batch(
        latents=task.latents,
        noise=task.noise,
        times=task.timesteps,
        levels=noise_schedule(zero_terminal_snr=task.zero_terminal_snr).alphas_cumprod[task.timesteps],
        loss_weights=torch.ones(2),
        token_ids=base.family.tokenize(base, task.captions),
        sizes=task.sizes,
    )


def by_contents(parameters: list[torch.nn.Parameter]) -> dict[bytes, Tensor]:
    """Gradients by what the parameter holds, which no two have in common; without names, no mistake in them helps."""
    return {
        one.detach().reshape(-1).numpy().tobytes(): one.grad.reshape(-1)
        for one in parameters
        if one.grad is not None and bool(one.grad.any())
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_loss_and_all_gradients_are_the_oracles(tmp_path: Path, case: Case) -> None:
    folder = FOLDERS[case.family](tmp_path)
    model = ModelConfig(path=str(folder), family=case.family)
    base = load_base_model(model, dtype=torch.float32, vae_dtype=torch.float32, device=CPU)
    network, task = attach(base), case.task(base)
    oracle = Oracle(folder, network.lora_state(torch.float32))

    wanted_loss = oracle.loss(task)
    wanted_loss.backward()
    loss = training_loss(base, network, batch_of(base, task), case.config)
    loss.backward()

    assert loss.item() == pytest.approx(wanted_loss.item(), rel=LOSS_TOLERANCE)
    wanted, found = by_contents(oracle.parameters), by_contents(list(network.parameters()))
    assert found.keys() == wanted.keys()
    apart = {key: relative(found[key], wanted[key]) for key in wanted}
    off = abs(loss.item() / wanted_loss.item() - 1)
    print(f"{case.name}: {len(apart)} gradients, loss {off:.1e}, worst gradient {max(apart.values()):.1e}")
    assert max(apart.values()) <= GRADIENT_TOLERANCE


def test_only_the_first_text_encoders_last_layer_is_not_trained(tmp_path: Path) -> None:
    folder = tiny_sdxl_folder(tmp_path)
    base = load_base_model(
        ModelConfig(path=str(folder), family="sdxl"), dtype=torch.float32, vae_dtype=torch.float32, device=CPU
    )
    network, case = attach(base), CASES[0]

    training_loss(base, network, batch_of(base, case.task(base)), case.config).backward()

    still = {name for name, one in network.layers.items() if all(p.grad is None for p in one.parameters())}
    assert still
    assert all(name.startswith("lora_te1_text_model_encoder_layers_1_") for name in still)

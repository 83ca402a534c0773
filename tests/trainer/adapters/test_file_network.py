from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from advisor.adapters.diffusers_names import layer_name
from advisor.adapters.layout import adapter_plans
from advisor.errors import ModelError
from advisor.families import family
from advisor.settings.config import AdapterKind, NetworkConfig
from tests.support.in_other_programs import a1111
from tests.support.tiny import TINY_SD1, tiny_sd1
from trainer.adapters.file_network import attach_file
from trainer.adapters.network import Network
from trainer.lora_files.diffusers_copy import diffusers_state
from trainer.models.families.family import BaseModel

KINDS: tuple[AdapterKind, ...] = ("lora", "locon", "loha", "lokr", "dora")


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return tiny_sd1()


def config_of(kind: AdapterKind = "lora", **settings: Any) -> NetworkConfig:
    usual: dict[str, Any] = {"rank": 4, "alpha": 2.0, "conv_rank": 0 if kind == "lora" else 2}
    return NetworkConfig(kind=kind, **usual | settings)


@torch.no_grad()
def answer(base: BaseModel) -> Tensor:
    noisy = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    text = base.family.encode_text(base, (base.tokenizers[0](["a cat"]),))
    return base.family.predict(base, noisy, torch.tensor([500]), text)


def random_lora(base: BaseModel, config: NetworkConfig) -> dict[str, Tensor]:
    network = Network.attach(base, config, text_encoder=True)
    network.detach()
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.05)
    return network.lora_state(torch.float32)


def saved(path: Path, state: Mapping[str, Tensor]) -> Path:
    save_file(dict(state), path)
    return path


@torch.no_grad()
def merged(base: BaseModel, state: Mapping[str, Tensor], weight: float) -> BaseModel:
    """The base with the file merged into its weights, as user interfaces do at a weight."""
    made = replace(
        base, denoiser=deepcopy(base.denoiser), text_encoders=tuple(deepcopy(one) for one in base.text_encoders)
    )
    for target in family("sd1").lora_targets(TINY_SD1, conv=True):
        tensors = {key.partition(".")[2]: one for key, one in state.items() if key.startswith(f"{target.name}.")}
        if tensors:
            layer = made.layer(target)
            assert isinstance(layer.weight, Tensor)
            layer.weight += weight * (a1111(tensors, layer.weight) - layer.weight)
    return made


@pytest.mark.parametrize("weight", [0.6, 1.0, 1.3, -0.5])
@pytest.mark.parametrize("kind", KINDS)
def test_a_lora_at_a_weight_is_what_user_interfaces_merge(
    base: BaseModel, tmp_path: Path, kind: AdapterKind, weight: float
) -> None:
    state = random_lora(base, config_of(kind))
    plain = answer(base)

    network = attach_file(base, saved(tmp_path / "a.safetensors", state))
    network.multiplier = weight
    found = answer(base)
    network.detach()

    wanted = answer(merged(base, state, weight))
    torch.testing.assert_close(found, wanted, atol=2e-4, rtol=1e-3)
    assert (wanted - plain).abs().max() > 1e-2
    assert torch.equal(answer(base), plain)


def test_each_layer_has_the_rank_and_alpha_of_the_file(base: BaseModel, tmp_path: Path) -> None:
    """As kohya's block_dims, LyCORIS' presets and resized LoRAs have them."""
    narrow, wide = random_lora(base, config_of(rank=2, alpha=1.0)), random_lora(base, config_of(rank=7, alpha=3.0))
    mixed = {key: (wide if "mid_block" in key or "lora_te" in key else narrow)[key] for key in narrow}

    network = attach_file(base, saved(tmp_path / "a.safetensors", mixed))
    found = answer(base)
    network.detach()

    torch.testing.assert_close(found, answer(merged(base, mixed, 1.0)), atol=2e-4, rtol=1e-3)
    assert {adapter.rank for adapter in network.layers.values()} == {2, 7}


def test_a_lora_in_the_names_of_diffusers_is_the_same(base: BaseModel, tmp_path: Path) -> None:
    state = random_lora(base, config_of(alpha=4.0))
    plans = adapter_plans("sd1", TINY_SD1, config_of(), text_encoder=True)
    theirs = diffusers_state(state, {plan.target.name: layer_name(plan.target) for plan in plans})

    answers = []
    for name, one in (("kohya", state), ("diffusers", theirs)):
        network = attach_file(base, saved(tmp_path / f"{name}.safetensors", one))
        answers.append(answer(base))
        network.detach()

    torch.testing.assert_close(*answers)


def test_what_cannot_be_applied_is_told(base: BaseModel, tmp_path: Path) -> None:
    state = random_lora(base, config_of())
    name = "lora_unet_time_embedding_linear_1"
    state |= {f"{name}.lora_down.weight": torch.ones(1, 32), f"{name}.lora_up.weight": torch.ones(128, 1)}

    network = attach_file(base, saved(tmp_path / "a.safetensors", state))
    network.detach()

    assert network.start_notes == (
        f"1 layer of the LoRA ({name}) cannot be applied here and are left out: programs that apply them draw other "
        "pictures",
    )


def wider(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """As of a model with other widths."""
    return {key: torch.cat((one, one), 1) if key.endswith("down.weight") else one for key, one in state.items()}


def other_layers(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key.replace("mid_block", "last_block"): one for key, one in state.items()}


def damaged(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: one * float("nan") if key.endswith("up.weight") else one for key, one in state.items()}


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("lora", wider, "does not fit the base model: .*it was made for another model"),
        ("lora", other_layers, "does not fit the base model: .*last_block.*it was made for another"),
        ("lora", damaged, "holds NaN or infinity; take another LoRA"),
        (
            "lokr",
            lambda state: {key: one[:1] if key.endswith("lokr_w1") else one for key, one in state.items()},
            "does not fit the base model: .* has factors for another layer",
        ),
    ],
)
def test_a_lora_that_does_not_fit_is_refused_and_leaves_the_base_model_alone(
    base: BaseModel, tmp_path: Path, kind: AdapterKind, change: Any, message: str
) -> None:
    plain = answer(base)
    path = saved(tmp_path / "a.safetensors", change(random_lora(base, config_of(kind))))

    with pytest.raises(ModelError, match=rf"a\.safetensors.*{message}"):
        attach_file(base, path)

    assert torch.equal(answer(base), plain)


def test_a_kind_that_is_not_known_is_named(base: BaseModel, tmp_path: Path) -> None:
    layer = "lora_unet_mid_block_attentions_0_proj_in"
    path = saved(tmp_path / "a.safetensors", {f"{layer}.oft_blocks": torch.ones(4, 8, 8)})

    with pytest.raises(ModelError, match=r"of the kind .*oft, which is not drawn with here: known are lora"):
        attach_file(base, path)

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from advisor.errors import ModelError
from advisor.families import family
from advisor.families.stable_diffusion import StableDiffusionStructure
from advisor.settings.config import NetworkConfig
from tests.support.tiny import TINY_SD1, tiny_sd1
from trainer.adapters.network import Network
from trainer.models.families.family import BaseModel
from trainer.models.families.stable_diffusion import Sd1

LORA = NetworkConfig(rank=4, alpha=2.0)
LAST_LAYER = "lora_te_text_model_encoder_layers_2_"


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return tiny_sd1()


def attach(base: BaseModel, config: NetworkConfig = LORA, *, text_encoder: bool = True, clip_skip: int = 1) -> Network:
    return Network.attach(base, config, text_encoder=text_encoder, clip_skip=clip_skip)


def randomized(network: Network) -> Network:
    generator = torch.Generator().manual_seed(9)
    for adapter in network.layers.values():
        torch.nn.init.normal_(adapter.get_parameter("up"), std=0.1, generator=generator)
    return network


def predict(base: BaseModel) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    noisy = torch.randn(1, 4, 8, 8, generator=generator)
    with torch.no_grad():
        text = Sd1().encode_text(base, Sd1().tokenize(base, ["a cat"]))
        return Sd1().predict(base, noisy, torch.tensor([500]), text)


def test_full_size_sd15_has_kohyas_264_modules() -> None:
    """modules-sd15.json of sd-scripts, as the family's facts have it, all of them layers that exist."""
    structure = family("sd1").standard
    assert isinstance(structure, StableDiffusionStructure)
    meta = torch.device("meta")
    base = Sd1().build(structure, dtype=torch.float16, vae_dtype=torch.float16, device=meta)

    network = attach(base)

    assert len(network.names) == 264
    for target in family("sd1").lora_targets(structure):
        adapter = network.layers[target.name]
        kernel = (target.kernel,) * 2 if target.kernel else ()
        assert adapter.down.shape == (4, target.in_features, *kernel)
        assert adapter.up.shape == (target.out_features, 4, *[1] * len(kernel))


def test_a_file_has_three_tensors_for_each_module_in_the_asked_dtype(base: BaseModel) -> None:
    state = attach(base).lora_state(torch.float16)

    names = [target.name for target in family("sd1").lora_targets(TINY_SD1)]
    keys = ("alpha", "lora_down.weight", "lora_up.weight")
    assert list(state) == [f"{name}.{key}" for name in names for key in keys]
    assert {tensor.dtype for tensor in state.values()} == {torch.float16}
    assert state[f"{names[0]}.alpha"].shape == ()
    assert state[f"{names[0]}.alpha"].item() == 2


def test_a_saved_state_is_a_copy(base: BaseModel) -> None:
    network = randomized(attach(base))
    state = network.lora_state(torch.float32)
    before = {name: tensor.clone() for name, tensor in state.items()}

    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1)

    assert all(torch.equal(state[name], before[name]) for name in state)


def test_the_first_weights_follow_the_generator(base: BaseModel) -> None:
    def state(seed: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(seed)
        network = Network.attach(base, LORA, text_encoder=True, generator=generator)
        return network.lora_state(torch.float32)

    name = "lora_unet_mid_block_attentions_0_proj_in.lora_down.weight"
    assert torch.equal(state(1)[name], state(1)[name])
    assert not torch.equal(state(1)[name], state(2)[name])
    assert float(state(1)[name].abs().max()) <= 1 / 64**0.5
    assert not state(1)["lora_unet_mid_block_attentions_0_proj_in.lora_up.weight"].any()


def test_the_base_model_is_untouched_and_comes_back(base: BaseModel) -> None:
    keys = list(base.denoiser.state_dict())
    before = predict(base)

    network = randomized(attach(base))
    changed = predict(base)
    assert list(base.denoiser.state_dict()) == keys
    assert not any(name.startswith("_layer") for name, _ in network.named_parameters())
    network.detach()

    assert not torch.equal(changed, before)
    assert torch.equal(predict(base), before)


def test_multiplier_0_is_the_base_model_alone(base: BaseModel) -> None:
    before = predict(base)
    network = randomized(attach(base))

    network.multiplier = 0.0
    off = predict(base)
    network.multiplier = 1.0
    on = predict(base)
    network.detach()

    assert torch.equal(off, before)
    assert not torch.equal(on, before)


def test_parts_have_parameters_of_their_own(base: BaseModel) -> None:
    network = attach(base)
    unet, text = network.parameters_of("unet"), network.parameters_of("text_encoder")

    assert len(text) == 2 * 3 * 6
    assert len(unet) + len(text) == len(list(network.parameters()))
    assert {id(p) for p in unet}.isdisjoint({id(p) for p in text})
    assert all(p.dtype == torch.float32 and p.requires_grad for p in (*unet, *text))


def test_without_the_text_encoder_only_the_unet_has_adapters(base: BaseModel) -> None:
    network = attach(base, text_encoder=False)

    assert not network.has_text_encoder
    assert network.parameters_of("text_encoder") == []
    assert all(name.startswith("lora_unet_") for name in network.names)


def test_layers_that_clip_skip_never_reaches_stay_zero_but_in_the_file(base: BaseModel) -> None:
    network = attach(base, clip_skip=2)

    frozen = [name for name, adapter in network.layers.items() if not adapter.down.requires_grad]
    assert frozen == [name for name in network.names if name.startswith(LAST_LAYER)]
    assert len(network.parameters_of("text_encoder")) == 2 * 2 * 6
    assert len(network.lora_state(torch.float32)) == 3 * len(network.names)


def test_what_was_saved_is_loaded(base: BaseModel) -> None:
    saved = randomized(attach(base)).lora_state(torch.float32)
    network = attach(base)

    network.load_lora_state(saved)

    state = network.lora_state(torch.float32)
    assert all(torch.equal(state[name], saved[name]) for name in saved)


def test_linear_layers_that_sd_scripts_saved_as_convolutions_are_loaded(base: BaseModel) -> None:
    saved = randomized(attach(base)).lora_state(torch.float32)
    network = attach(base)

    network.load_lora_state({name: one[:, :, None, None] if one.ndim == 2 else one for name, one in saved.items()})

    state = network.lora_state(torch.float32)
    assert all(torch.equal(state[name], saved[name]) for name in saved)


def test_another_alpha_in_the_file_keeps_its_effect(base: BaseModel) -> None:
    saved = randomized(attach(base, NetworkConfig(rank=4, alpha=4.0))).lora_state(torch.float32)
    wanted = predict(base)

    attach(base, LORA).load_lora_state(saved)

    torch.testing.assert_close(predict(base), wanted)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("lora_unet_mid_block_attentions_0_proj_in.lora_up.weight"), "lacks lora_unet_mid"),
        (
            lambda state: state.update({"lora_unet_other.lora_up.weight": torch.zeros(1)}),
            "has no place for lora_unet_o",
        ),
        (lambda state: state.update({"lora_unet_mid_block_attentions_0_proj_in.dora_scale": torch.zeros(1)}), "dora"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_by_name(base: BaseModel, change: object, message: str) -> None:
    network = attach(base)
    state = network.lora_state(torch.float32)
    change(state)  # type: ignore[operator]

    with pytest.raises(ModelError, match=message):
        network.load_lora_state(state)


def test_another_rank_names_the_setting(base: BaseModel) -> None:
    state = attach(base, NetworkConfig(rank=8)).lora_state(torch.float32)

    with pytest.raises(ModelError, match=r"set network\.rank to 8"):
        attach(base).load_lora_state(state)


def test_training_goes_on_from_a_file(base: BaseModel, tmp_path: Path) -> None:
    saved = randomized(attach(base)).lora_state(torch.float16)
    save_file(saved, tmp_path / "first.safetensors")
    config = NetworkConfig(rank=4, alpha=2.0, start_from=str(tmp_path / "first.safetensors"))

    network = attach(base, config)

    state = network.lora_state(torch.float16)
    assert all(torch.equal(state[name], saved[name]) for name in saved)


@pytest.mark.parametrize("contents", [b"", json.dumps({"a": 1}).encode()])
def test_a_file_that_is_no_lora_is_refused(base: BaseModel, tmp_path: Path, contents: bytes) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(contents)

    with pytest.raises(ModelError, match=r"bad\.safetensors"):
        attach(base, NetworkConfig(start_from=str(path)))


def test_a_missing_file_to_go_on_from_is_named(base: BaseModel, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"gone\.safetensors"):
        attach(base, NetworkConfig(start_from=str(tmp_path / "gone.safetensors")))


def test_convolutions_get_a_rank_and_alpha_of_their_own(base: BaseModel) -> None:
    config = NetworkConfig(kind="locon", rank=4, alpha=2.0, conv_rank=2)
    state = randomized(attach(base, config)).lora_state(torch.float32)
    changed = predict(base)

    wide = "lora_unet_mid_block_resnets_0_conv1"
    assert state[f"{wide}.lora_down.weight"].shape == (2, 64, 3, 3)
    assert state[f"{wide}.lora_up.weight"].shape == (64, 2, 1, 1)
    assert state[f"{wide}.alpha"] == 1
    assert state["lora_unet_mid_block_resnets_0_time_emb_proj.lora_down.weight"].shape == (4, 128)
    assert state["lora_unet_up_blocks_0_resnets_0_conv_shortcut.lora_down.weight"].shape == (4, 128, 1, 1)
    assert bool(changed.isfinite().all())

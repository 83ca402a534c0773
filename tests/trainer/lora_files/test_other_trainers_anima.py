"""LoRAs of Anima in the names that other trainers write, gone on from and converted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from advisor.checkpoints.identify import identify
from advisor.errors import ConfigErrors, ModelError
from advisor.families.anima import ANIMA
from advisor.families.structure import LoraTarget
from advisor.settings.config import NetworkConfig
from tests.support.tiny_anima import TINY_ANIMA, tiny_anima
from trainer.adapters.file_network import attach_file
from trainer.adapters.network import Network
from trainer.convert.lora import convert_lora

TARGETS = {target.name: target for target in ANIMA.all_targets(TINY_ANIMA)}
FORMS: Mapping[str, tuple[Callable[[LoraTarget], str], str, bool]] = {
    "sd-scripts": (lambda target: target.name, "lora_{down,up}.weight", True),
    "OneTrainer and ai-toolkit": (lambda target: f"diffusion_model.{target.original}", "lora_{A,B}.weight", True),
    "diffusion-pipe": (lambda target: f"diffusion_model.{target.original}", "lora_{A,B}.weight", False),
    "diffusers": (lambda target: target.diffusers, "lora_{A,B}.weight", False),
    "peft": (lambda target: f"base_model.model.{target.diffusers}", "lora_{A,B}.default.weight", False),
    "peft on the original code": (lambda target: target.original, "lora_{A,B}.weight", False),
}
"""What layers are called, what stands after it, and whether there is an alpha."""


def lora(form: str, *, text_adapter: bool = False) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """(a LoRA's tensors in those names, the change of each layer's weight by kohya's name); rank 3, alpha 1.5."""
    name, sides, has_alpha = FORMS[form]
    ending = sides.partition("}")[2]
    start, _, words = sides.partition("}")[0].partition("{")
    down_word, up_word = (f"{start}{word}{ending}" for word in words.split(","))
    rng, state, wanted = torch.Generator().manual_seed(3), dict[str, Tensor](), dict[str, Tensor]()
    for target in ANIMA.lora_targets(TINY_ANIMA, text_adapter=text_adapter):
        down = torch.randn(3, target.in_features, generator=rng)
        up = torch.randn(target.out_features, 3, generator=rng)
        state |= {f"{name(target)}.{down_word}": down, f"{name(target)}.{up_word}": up}
        if has_alpha:
            state[f"{name(target)}.alpha"] = torch.tensor(1.5)
        wanted[target.name] = up @ down * (0.5 if has_alpha else 1.0)
    return state, wanted


def changes(network: Network) -> dict[str, Tensor]:
    state = network.lora_state(torch.float32, scaled=True)
    return {name: state[f"{name}.lora_up.weight"] @ state[f"{name}.lora_down.weight"] for name in network.names}


@pytest.mark.parametrize("text_adapter", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_a_training_goes_on_from_it(tmp_path: Path, form: str, text_adapter: bool) -> None:
    state, wanted = lora(form, text_adapter=text_adapter)
    save_file(state, tmp_path / "theirs.safetensors", {"modelspec.architecture": "anima-preview/lora"})
    config = NetworkConfig(
        rank=3, alpha=3.0, text_adapter=text_adapter, start_from=str(tmp_path / "theirs.safetensors")
    )
    network = Network.attach(tiny_anima(), config, text_encoder=False)
    found = changes(network)

    assert network.start_notes == ()
    assert found.keys() == wanted.keys()
    for name, change in wanted.items():
        torch.testing.assert_close(found[name], change, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_it_is_converted_and_named_as_what_it_is(tmp_path: Path, form: str) -> None:
    state, wanted = lora(form, text_adapter=True)
    save_file(state, tmp_path / "theirs.safetensors", {"modelspec.architecture": "anima-preview/lora"})
    convert_lora(tmp_path / "theirs.safetensors", tmp_path / "made.safetensors", lambda line: None)
    made, is_kohyas = load_file(tmp_path / "made.safetensors"), form == "sd-scripts"
    down, up = ("lora_A.weight", "lora_B.weight") if is_kohyas else ("lora_down.weight", "lora_up.weight")

    assert identify(tmp_path / "theirs.safetensors").family == "anima"
    for name, change in wanted.items():
        layer = f"diffusion_model.{TARGETS[name].original}" if is_kohyas else name
        scale = 1.0 if is_kohyas else float(made[f"{layer}.alpha"]) / 3
        torch.testing.assert_close(
            made[f"{layer}.{up}"] @ made[f"{layer}.{down}"] * scale, change, atol=1e-5, rtol=1e-5
        )


def test_a_text_adapter_that_is_not_asked_for_is_told(tmp_path: Path) -> None:
    state, _ = lora("diffusers", text_adapter=True)
    save_file(state, tmp_path / "theirs.safetensors", {"modelspec.architecture": "anima-preview/lora"})
    config = NetworkConfig(rank=3, alpha=3.0, start_from=str(tmp_path / "theirs.safetensors"))

    with pytest.raises(
        ConfigErrors, match=r"network\.text_adapter.*adapts the layers between text encoder and denoiser"
    ):
        Network.attach(tiny_anima(), config, text_encoder=False)


def everything(form: str) -> dict[str, Tensor]:
    """As ai-toolkit writes it, which adapts every linear layer of the transformer."""
    state, name = lora(form)[0], FORMS[form][0]
    rng = torch.Generator().manual_seed(4)
    for target in ANIMA.known_layers(TINY_ANIMA):
        sides = ("A", "B") if form == "diffusion-pipe" else ("down", "up")
        shapes = (3, target.in_features), (target.out_features, 3)
        for side, shape in zip(sides, shapes, strict=True):
            state.setdefault(f"{name(target)}.lora_{side}.weight", torch.randn(shape, generator=rng))
    return state


def test_every_linear_layer_is_drawn_with_and_goes_through_a_conversion(tmp_path: Path) -> None:
    theirs, made, back = (tmp_path / f"{name}.safetensors" for name in ("theirs", "made", "back"))
    state = everything("diffusion-pipe")
    save_file(state, theirs)
    convert_lora(theirs, made, lambda line: None)
    convert_lora(made, back, lambda line: None)
    base = tiny_anima()
    linear = [path for path, module in base.denoiser.named_modules() if isinstance(module, torch.nn.Linear)]
    network = attach_file(base, theirs)

    assert len(network.names) == len(linear) == len(state) // 2
    assert network.start_notes == ()
    assert load_file(back).keys() == state.keys()
    assert all(torch.equal(one, state[name]) for name, one in load_file(back).items())


def test_a_training_goes_on_from_it_without_the_layers_that_ours_leave_alone(tmp_path: Path) -> None:
    save_file(everything("diffusion-pipe"), tmp_path / "theirs.safetensors")
    start = str(tmp_path / "theirs.safetensors")
    config = NetworkConfig(rank=3, alpha=3.0, text_adapter=True, start_from=start)
    network = Network.attach(tiny_anima(), config, text_encoder=False)
    (note,) = network.start_notes

    assert len(network.names) == 30
    assert note.startswith("19 layers of the LoRA to go on from (diffusion_model.blocks.0.adaln_modulation_")


def test_a_strange_layer_stops_a_conversion(tmp_path: Path) -> None:
    state, _ = lora("sd-scripts")
    state["lora_unet_blocks_0_mlp_layer3.lora_down.weight"] = torch.ones(3, 48)
    save_file(state, tmp_path / "theirs.safetensors")

    with pytest.raises(ModelError, match="lora_unet_blocks_0_mlp_layer3, which is no layer of Anima"):
        convert_lora(tmp_path / "theirs.safetensors", tmp_path / "made.safetensors", lambda line: None)


def test_half_a_layer_stops_a_conversion(tmp_path: Path) -> None:
    state, _ = lora("sd-scripts")
    del state["lora_unet_blocks_1_mlp_layer2.lora_up.weight"]
    save_file(state, tmp_path / "theirs.safetensors")

    with pytest.raises(ModelError, match="lacks a part of lora_unet_blocks_1_mlp_layer2"):
        convert_lora(tmp_path / "theirs.safetensors", tmp_path / "made.safetensors", lambda line: None)

"""What the check after saving finds: each fault of a file, whatever the base model computes in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from advisor.settings.config import AdapterKind, NetworkConfig, QuantisedDtype
from tests.support.tiny import tiny_sd1
from trainer.adapters.network import Network
from trainer.layers.quantised_layers import quantise
from trainer.lora_files.reload_check import ReloadCheck, check_saved
from trainer.models.families.family import BaseModel

DTYPES = (torch.float32, torch.float16, torch.bfloat16)
ATTENTION = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_"
QUERY, KEY, FEED = f"{ATTENTION}to_q", f"{ATTENTION}to_k", "lora_unet_mid_block_attentions_0_proj_in"
State = dict[str, Tensor]


def attached(base: BaseModel, kind: AdapterKind = "lora") -> Network:
    """A LoRA that changes little, as after few steps."""
    config = NetworkConfig(kind=kind, rank=4, alpha=2.0, conv_rank=0 if kind == "lora" else 2)
    network = Network.attach(base, config, text_encoder=True)
    rng = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=rng), alpha=0.01)
    return network


def checked(base: BaseModel, network: Network, path: Path, state: State) -> ReloadCheck:
    save_file(state, path)
    return check_saved(path, base, network, "a cat", clip_skip=1)


def complaints(check: ReloadCheck) -> tuple[str, ...]:
    return check.complaints(unet=True, text_encoder=True)


def a_hundredth_more(state: State) -> None:
    state[f"{FEED}.lora_up.weight"] *= 1.01


def another_alpha(state: State) -> None:
    state[f"{FEED}.alpha"] *= 2


def zeros_in_one_layer(state: State) -> None:
    state[f"{FEED}.lora_up.weight"].zero_()


def the_other_sign(state: State) -> None:
    state[f"{FEED}.lora_up.weight"] *= -1


def two_layers_exchanged(state: State) -> None:
    for part in ("lora_down.weight", "lora_up.weight"):
        state[f"{QUERY}.{part}"], state[f"{KEY}.{part}"] = state[f"{KEY}.{part}"], state[f"{QUERY}.{part}"]


def one_number_of_the_text(state: State) -> None:
    state["lora_te_text_model_encoder_layers_0_mlp_fc1.lora_up.weight"][0, 0] += 0.1


def another_name(state: State) -> None:
    for part in ("alpha", "lora_down.weight", "lora_up.weight"):
        state[f"lora_unet_nowhere.{part}"] = state.pop(f"{FEED}.{part}")


def infinity(state: State) -> None:
    state[f"{FEED}.lora_down.weight"][0, 0] = float("inf")


def no_number(state: State) -> None:
    state[f"{FEED}.lora_up.weight"][0, 0] = float("nan")


FAULTS: dict[Callable[[State], None], str] = {
    a_hundredth_more: "off, more than rounding",
    another_alpha: "off, more than rounding",
    zeros_in_one_layer: "off, more than rounding",
    the_other_sign: "off, more than rounding",
    two_layers_exchanged: "off, more than rounding",
    one_number_of_the_text: "off, more than rounding",
    another_name: "3 weights are missing",
    infinity: "a LoRA of zeros changes a layer's answer",
    no_number: "off, more than rounding",
}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("saved_as", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_a_whole_file_is_found_whole(dtype: torch.dtype, saved_as: torch.dtype, tmp_path: Path) -> None:
    base = tiny_sd1(dtype=dtype)
    network = attached(base)

    check = checked(base, network, tmp_path / "a.safetensors", network.lora_state(saved_as))

    assert complaints(check) == ()
    assert check.unet_change > 0
    assert check.text_change > 0


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_each_fault_is_found(fault: Callable[[State], None], dtype: torch.dtype, tmp_path: Path) -> None:
    base = tiny_sd1(dtype=dtype)
    network = attached(base)
    state = network.lora_state(torch.float16)
    fault(state)

    found = complaints(checked(base, network, tmp_path / "a.safetensors", state))

    assert any(FAULTS[fault] in message for message in found), found


def test_an_adapter_that_the_file_has_nothing_of_is_found(tmp_path: Path) -> None:
    base = tiny_sd1()
    network = attached(base)
    state = {name: one for name, one in network.lora_state(torch.float16).items() if not name.startswith(FEED)}

    check = checked(base, network, tmp_path / "a.safetensors", state)

    assert check.missing == 3
    assert check.difference > check.tolerance


def test_an_adapter_that_takes_no_part_in_its_layer_is_found(tmp_path: Path) -> None:
    base = tiny_sd1()
    network = attached(base)
    network.layers[FEED].detach()

    check = checked(base, network, tmp_path / "a.safetensors", network.lora_state(torch.float16))

    assert check.difference > check.tolerance


def test_a_file_that_changes_nothing_is_told_by_part(tmp_path: Path) -> None:
    base = tiny_sd1()
    network = attached(base)
    for name, adapter in network.layers.items():
        if name.startswith("lora_te"):
            torch.nn.init.zeros_(adapter.get_parameter("up"))

    found = complaints(checked(base, network, tmp_path / "a.safetensors", network.lora_state(torch.float16)))

    assert found == ("the text encoder's part changes nothing",)


@pytest.mark.parametrize("kind", ["lora", "locon", "dora", "loha", "lokr"])
@pytest.mark.parametrize("quantised", ["int8", "nf4"])
def test_layers_in_fewer_bits_are_compared_too(kind: AdapterKind, quantised: QuantisedDtype, tmp_path: Path) -> None:
    base = tiny_sd1(dtype=torch.bfloat16)
    quantise(base.denoiser, quantised)
    network = attached(base, kind)
    path = tmp_path / "a.safetensors"
    good = checked(base, network, path, network.lora_state(torch.float16))
    state = load_file(path)
    key = next(name for name in state if name.startswith(FEED) and not name.endswith("alpha"))

    bad = checked(base, network, path, {**state, key: state[key] * 1.2})

    assert complaints(good) == ()
    assert bad.difference > bad.tolerance


def test_the_check_leaves_network_and_base_as_they_were(tmp_path: Path) -> None:
    base = tiny_sd1(dtype=torch.bfloat16)
    network = attached(base)
    before = {name: one.clone() for name, one in base.denoiser.state_dict().items()}

    checked(base, network, tmp_path / "a.safetensors", network.lora_state(torch.float16))

    assert network.training
    assert network.multiplier == 1.0
    after = base.denoiser.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) and after[name].dtype == torch.bfloat16 for name in before)
    assert all(adapter.layer.weight.dtype == torch.bfloat16 for adapter in network.layers.values())


def test_the_denoiser_answers_twice_and_the_text_encoder_twice(tmp_path: Path) -> None:
    base = tiny_sd1()
    network = attached(base)
    calls = list[str]()
    for name, part in (("denoiser", base.denoiser), ("text", base.text_encoders[0].get_submodule("final_layer_norm"))):
        part.register_forward_hook(lambda *_, name=name: calls.append(name))

    checked(base, network, tmp_path / "a.safetensors", network.lora_state(torch.float16))

    assert sorted(calls) == ["denoiser", "denoiser", "text", "text"]

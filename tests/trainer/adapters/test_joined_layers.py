"""LoRAs of Z-Image that other trainers made on its single file's `attention.qkv`, three layers at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, ZImagePipeline
from safetensors.torch import load_file, save_file
from torch import Tensor

from advisor.checkpoints.identify import identify
from advisor.errors import ConfigErrors, ModelError
from advisor.settings.config import NetworkConfig
from tests.support.in_diffusers import said
from tests.support.tiny_z_image import tiny_z_image
from trainer.adapters.file_network import attach_file
from trainer.adapters.network import Network
from trainer.convert.lora import convert_lora
from trainer.models.families.family import BaseModel

WIDE, RANK, ALPHA = 64, 4, 2.0
NAMES = {
    "kohya": ("lora_unet_layers_{block}_attention_{layer}", "lora_down", "lora_up"),
    "ComfyUI": ("diffusion_model.layers.{block}.attention.{layer}", "lora_A", "lora_B"),
}


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape))) * 0.1


def joined_lora(path: Path, kind: str, *, wide: int = WIDE, blocks: int = 2) -> Path:
    """A LoRA with one adapter for queries, keys and values of each block, and one for the attention's output."""
    layer, down, up = NAMES[kind]
    state: dict[str, Tensor] = {}
    for block in range(blocks):
        for name, outputs in (("qkv", 3 * wide), ("out", wide)):
            start = layer.format(block=block, layer=name)
            state |= {f"{start}.{down}.weight": random(RANK, wide), f"{start}.{up}.weight": random(outputs, RANK)}
            state[f"{start}.alpha"] = torch.tensor(ALPHA)
    save_file(state, path)
    return path


def changes(base: BaseModel, network: Network) -> dict[str, Tensor]:
    """What each adapter adds to its layer's weight."""
    found = {}
    for name, adapter in network.layers.items():
        tensors = {suffix: one.detach() for suffix, one in adapter.tensors.items()}
        found[name] = tensors["lora_up.weight"] @ tensors["lora_down.weight"] * (adapter.alpha / adapter.rank)
    return found


@pytest.mark.parametrize("kind", NAMES)
def test_its_rows_are_those_of_three_layers(tmp_path: Path, kind: str) -> None:
    path, base = joined_lora(tmp_path / "a.safetensors", kind), tiny_z_image()
    network = attach_file(base, path)
    found, (layer, down, up) = changes(base, network), NAMES[kind]
    state = load_file(path)

    assert len(network.layers) == 8
    for block in range(2):
        start = layer.format(block=block, layer="qkv")
        whole = state[f"{start}.{up}.weight"] @ state[f"{start}.{down}.weight"] * (ALPHA / RANK)
        ours = [found[f"lora_unet_layers_{block}_attention_to_{letter}"] for letter in "qkv"]
        torch.testing.assert_close(torch.cat(ours), whole)
        start = layer.format(block=block, layer="out")
        whole = state[f"{start}.{up}.weight"] @ state[f"{start}.{down}.weight"] * (ALPHA / RANK)
        torch.testing.assert_close(found[f"lora_unet_layers_{block}_attention_to_out_0"], whole)


def test_diffusers_makes_the_same_of_it(tmp_path: Path) -> None:
    path, ours, theirs = joined_lora(tmp_path / "a.safetensors", "kohya"), tiny_z_image(), tiny_z_image()
    attach_file(ours, path)
    pipe: Any = ZImagePipeline(
        FlowMatchEulerDiscreteScheduler(shift=3.0), theirs.vae, theirs.text_encoders[0], None,
        theirs.denoiser.transformer,
    )  # fmt: skip
    with said() as heard:
        pipe.load_lora_weights(str(tmp_path), weight_name=path.name)

    states = torch.randn(1, 32, 24, generator=torch.Generator().manual_seed(1))
    given = {"states": states, "states_mask": torch.ones(1, 32, dtype=torch.bool)}
    noisy = torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        one, other, plain = (
            base.denoiser(noisy, torch.tensor([0.4]), **given) for base in (ours, theirs, tiny_z_image())
        )
    assert heard == []
    assert float((one - plain).abs().max()) > 1e-4
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_a_training_goes_on_from_it(tmp_path: Path) -> None:
    path, base = joined_lora(tmp_path / "a.safetensors", "kohya"), tiny_z_image()
    start = NetworkConfig.model_validate({"rank": RANK, "alpha": ALPHA, "start_from": str(path)})
    network = Network.attach(base, start, text_encoder=False)
    drawn = changes(base, attach_file(tiny_z_image(), path))

    ours = changes(base, network)
    assert all(torch.allclose(ours[name], one, atol=1e-6) for name, one in drawn.items())
    assert any("has nothing of 6 layers" in note for note in network.start_notes)


def test_another_rank_is_refused_with_that_of_the_file(tmp_path: Path) -> None:
    path = joined_lora(tmp_path / "a.safetensors", "kohya")
    start = NetworkConfig.model_validate({"rank": 8, "start_from": str(path)})

    with pytest.raises(ConfigErrors, match="has rank 4"):
        Network.attach(tiny_z_image(), start, text_encoder=False)


@pytest.mark.parametrize("kind", NAMES)
def test_it_is_converted_into_one_for_each_layer(tmp_path: Path, kind: str) -> None:
    path, out = joined_lora(tmp_path / "a.safetensors", kind, wide=3840, blocks=1), tmp_path / "b.safetensors"
    finished = convert_lora(path, out, lambda line: None)
    state, made, (layer, down, up) = load_file(path), load_file(out), NAMES[kind]
    start = layer.format(block=0, layer="qkv")

    assert identify(out).family == "z_image"
    assert any("one for each" in note for note in finished["notes"])
    assert len(made) == 8
    parts = [f"diffusion_model.layers.0.attention.to_{letter}" for letter in "qkv"]
    rows = torch.cat([made[f"{name}.lora_B.weight"] for name in parts])
    torch.testing.assert_close(rows, state[f"{start}.{up}.weight"] * (ALPHA / RANK))
    assert all(torch.equal(made[f"{name}.lora_A.weight"], state[f"{start}.{down}.weight"]) for name in parts)


def test_what_cannot_be_taken_apart_is_refused(tmp_path: Path) -> None:
    start = "lora_unet_layers_0_attention_qkv"
    state = {f"{start}.lokr_w1": random(6, 2), f"{start}.lokr_w2": random(32, 32), f"{start}.alpha": torch.tensor(1.0)}
    save_file(state, tmp_path / "a.safetensors")

    with pytest.raises(ModelError, match="for several layers at once"):
        attach_file(tiny_z_image(), tmp_path / "a.safetensors")


def test_a_layer_that_is_there_joined_and_by_itself_is_refused(tmp_path: Path) -> None:
    path = joined_lora(tmp_path / "a.safetensors", "kohya")
    start = "lora_unet_layers_0_attention_to_q"
    more = {f"{start}.lora_down.weight": random(RANK, WIDE), f"{start}.lora_up.weight": random(WIDE, RANK)}
    save_file({**load_file(path), **more}, path)

    with pytest.raises(ModelError, match="has the same layer twice"):
        attach_file(tiny_z_image(), path)


def test_a_loha_on_it_is_taken_apart_too(tmp_path: Path) -> None:
    start = "lora_unet_layers_1_attention_qkv"
    state = {
        f"{start}.hada_w1_a": random(3 * WIDE, RANK), f"{start}.hada_w1_b": random(RANK, WIDE),
        f"{start}.hada_w2_a": random(3 * WIDE, RANK) + 1, f"{start}.hada_w2_b": random(RANK, WIDE) + 1,
        f"{start}.alpha": torch.tensor(ALPHA),
    }  # fmt: skip
    save_file(state, tmp_path / "a.safetensors")
    network = attach_file(tiny_z_image(), tmp_path / "a.safetensors")
    parts = []
    for letter in "qkv":
        own = network.layers[f"lora_unet_layers_1_attention_to_{letter}"].tensors
        parts.append((own["hada_w1_a"] @ own["hada_w1_b"]) * (own["hada_w2_a"] @ own["hada_w2_b"]))
    one, other = (state[f"{start}.hada_w{number}_a"] @ state[f"{start}.hada_w{number}_b"] for number in (1, 2))

    torch.testing.assert_close(torch.cat(parts), one * other * (ALPHA / RANK))

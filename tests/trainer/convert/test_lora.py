"""LoRAs of other programs in diffusers' names; those of our own are in test_in_diffusers.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from advisor.checkpoints.identify import identify
from advisor.errors import ModelError
from tests.support.runs import metadata
from tests.support.tiny import tiny_sd1_checkpoint
from trainer.convert.lora import convert_lora

IN, OUT = "lora_unet_mid_block_attentions_0_proj_in", "unet.mid_block.attentions.0.proj_in"
TEXT = "lora_te_text_model_encoder_layers_0_mlp_fc1"
ANIMA, ANIMA_ORIGINAL = "lora_unet_blocks_0_self_attn_q_proj", "diffusion_model.blocks.0.self_attn.q_proj"
SDXL = "lora_unet_{}_transformer_blocks_9_attn2_to_k"


def lora(name: str, shape: tuple[int, int], rank: int = 2, alpha: float | None = 1.0) -> dict[str, Tensor]:
    tensors = {
        f"{name}.lora_down.weight": torch.ones(rank, shape[1]),
        f"{name}.lora_up.weight": torch.ones(shape[0], rank),
    }
    return tensors | ({} if alpha is None else {f"{name}.alpha": torch.tensor(alpha)})


def sd1() -> dict[str, Tensor]:
    conv = {key: one if one.ndim == 0 else one[..., None, None] for key, one in lora(IN, (1280, 1280)).items()}
    attention = lora("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k", (320, 768))
    return {**conv, **attention, **lora(TEXT, (3072, 768))}


def converted(folder: Path, state: dict[str, Tensor], **told: str) -> dict[str, Tensor]:
    save_file(state, folder / "a.safetensors", told)
    convert_lora(folder / "a.safetensors", folder / "b.safetensors", lambda line: None)
    tensors: dict[str, Tensor] = load_file(folder / "b.safetensors")
    return tensors


def test_alpha_goes_into_the_second_factor_and_the_file_says_so(tmp_path: Path) -> None:
    made = converted(tmp_path, sd1(), ss_output_name="mira", sshs_model_hash="old")

    assert made.keys() >= {f"{OUT}.lora_A.weight", "text_encoder.text_model.encoder.layers.0.mlp.fc1.lora_B.weight"}
    assert made[f"{OUT}.lora_A.weight"].unique().tolist() == [1.0]
    assert made[f"{OUT}.lora_B.weight"].unique().tolist() == [0.5]
    told = metadata(tmp_path / "b.safetensors")
    assert (told["ss_output_name"], json.loads(told["lora_adapter_metadata"])["unet.lora_alpha"]) == ("mira", 2)
    assert told["sshs_model_hash"] != "old"
    assert identify(tmp_path / "b.safetensors").family == "sd1"


def test_no_alpha_means_the_rank(tmp_path: Path) -> None:
    state = {key: one for key, one in sd1().items() if not key.endswith("alpha")}

    assert converted(tmp_path, state)[f"{OUT}.lora_B.weight"].unique().tolist() == [1.0]


@pytest.mark.parametrize("place", ["middle_block_1", "mid_block_attentions_0"])
def test_sdxl_is_known_by_both_kinds_of_its_names(tmp_path: Path, place: str) -> None:
    state = {**lora(SDXL.format(place), (1280, 2048)), **lora("lora_te2" + TEXT[7:], (5120, 1280))}

    made = converted(tmp_path, state)

    assert "unet.mid_block.attentions.0.transformer_blocks.9.attn2.to_k.lora_A.weight" in made
    assert "text_encoder_2.text_model.encoder.layers.0.mlp.fc1.lora_A.weight" in made


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({f"{IN}.lora_mid.weight": torch.ones(2, 2, 3, 3)}, "lora_mid"),
        ({"lora_unet_conv_in.alpha": torch.ones(())}, "lora_unet_conv_in"),
        ({f"{TEXT.replace('0', '1')}.lora_up.weight": torch.ones(3072, 2)}, "lacks a part of lora_te"),
        ({f"{TEXT}.dora_scale": torch.ones(1, 768)}, "one length for each input"),
        ({f"{TEXT}.hada_w1_a": torch.ones(2, 2), f"{TEXT}.hada_w1_b": torch.ones(2, 2)}, "of the kind loha"),
    ],
)
def test_what_these_names_cannot_hold_is_refused(tmp_path: Path, more: dict[str, Tensor], told: str) -> None:
    with pytest.raises(ModelError, match=told):
        converted(tmp_path, {**sd1(), **more})

    assert not (tmp_path / "b.safetensors").exists()


NAN = float("nan")


@pytest.mark.parametrize("layer", [TEXT, ANIMA])
@pytest.mark.parametrize(
    ("part", "tensor", "told"),
    [
        ("alpha", torch.ones(3, 3), r"alpha is \[3, 3\] numbers, not one"),
        ("alpha", torch.tensor(NAN), "no number"),
        ("lora_up.weight", torch.full((3072, 2), NAN), "no number"),
        ("lora_down.weight", torch.ones(0, 768), "is empty"),
        ("lora_up.weight", torch.ones(3072, 3), "goes down to"),
        ("lora_up.weight", None, "lacks a part of"),
    ],
)
def test_a_damaged_layer_is_named_and_nothing_written(
    tmp_path: Path, layer: str, part: str, tensor: Tensor | None, told: str
) -> None:
    state = {**lora(layer, (3072, 768)), **({} if layer == ANIMA else sd1())}
    state = {key: one for key, one in state.items() if key != f"{layer}.{part}"}

    with pytest.raises(ModelError, match=rf"a\.safetensors .*{told}"):
        converted(tmp_path, state if tensor is None else {**state, f"{layer}.{part}": tensor})

    assert not (tmp_path / "b.safetensors").exists()


@pytest.mark.parametrize("other", [ANIMA_ORIGINAL, ANIMA])
def test_a_layer_under_two_names_is_refused(tmp_path: Path, other: str) -> None:
    twice = {f"{other}.lora_A.weight": torch.ones(2, 768), f"{other}.lora_B.weight": torch.ones(3072, 2)}

    with pytest.raises(ModelError, match=r"same layer twice, as \S+self_attn\S+ and as \S+self_attn\S+, "):
        converted(tmp_path, {**lora(ANIMA, (3072, 768)), **twice})


def test_a_checkpoint_is_no_lora(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="of the kind checkpoint"):
        convert_lora(tiny_sd1_checkpoint(tmp_path), tmp_path / "b.safetensors", lambda line: None)

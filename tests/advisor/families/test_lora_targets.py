from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest

from advisor.errors import ModelError
from advisor.families import KNOWN_FAMILIES, family, why_not_trainable
from advisor.families.stable_diffusion import StableDiffusionStructure, TextStructure, VaeStructure
from advisor.families.structure import LoraTarget
from advisor.families.unet import UNetStructure
from tests.support.paths import DATA

KOHYA = DATA / "kohya" / "modules-sd15.json"

SMALL = StableDiffusionStructure(
    unet=UNetStructure(
        in_channels=8,
        out_channels=8,
        block_out_channels=(80, 128),
        transformer_depth=(0, 1),
        layers_per_block=1,
        cross_attention_dim=128,
        heads=(4, 4),
        norm_groups=8,
    ),
    text=(TextStructure(width=128, layers=2, heads=4, mlp_width=256, vocab_size=244, max_positions=40),),
    vae=VaeStructure((16, 32, 64, 64), latent_channels=8, layers_per_block=1, norm_groups=4, mid_attention=False),
    native_px=128,
)


def targets(
    name: str, *, conv: bool = False, structure: StableDiffusionStructure | None = None
) -> tuple[LoraTarget, ...]:
    standard = family(name).standard
    assert standard is not None
    return family(name).lora_targets(structure or standard, conv=conv)


def test_sd1_has_exactly_kohyas_264_names() -> None:
    names = [target.name for target in targets("sd1")]

    assert len(names) == 264
    assert sorted(names) == json.loads(KOHYA.read_text())


def test_the_text_encoder_comes_first_then_down_up_and_middle() -> None:
    names = [target.name for target in targets("sd1")]

    assert names[0] == "lora_te_text_model_encoder_layers_0_self_attn_k_proj"
    assert names[72] == "lora_unet_down_blocks_0_attentions_0_proj_in"
    assert names[-1] == "lora_unet_mid_block_attentions_0_proj_out"


def test_sd1_projections_are_1x1_convolutions_and_the_rest_linear() -> None:
    kernels = Counter(target.kernel for target in targets("sd1"))

    assert kernels == {0: 232, 1: 32}


def test_a_target_has_its_module_path_and_widths() -> None:
    by_name = {target.name: target for target in targets("sd1")}

    name = "lora_unet_up_blocks_1_attentions_2_transformer_blocks_0_attn2_to_k"
    path = "up_blocks.1.attentions.2.transformer_blocks.0.attn2.to_k"
    assert by_name[name] == LoraTarget(name, "unet", path, 768, 1280, block=18)
    name = "lora_te_text_model_encoder_layers_11_mlp_fc2"
    assert by_name[name] == LoraTarget(name, "text_encoder", "text_model.encoder.layers.11.mlp.fc2", 3072, 768)


def test_locon_adds_convolutions_shortcuts_and_time_projections() -> None:
    more = {target.name: target for target in targets("sd1", conv=True)}

    assert len(more) == 350
    assert more["lora_unet_down_blocks_1_resnets_0_conv1"].kernel == 3
    assert more["lora_unet_down_blocks_1_resnets_0_conv_shortcut"].kernel == 1
    assert more["lora_unet_down_blocks_1_resnets_0_time_emb_proj"].kernel == 0
    assert more["lora_unet_up_blocks_0_upsamplers_0_conv"].in_features == 1280
    assert "lora_unet_down_blocks_3_downsamplers_0_conv" not in more


def test_sd2_has_23_text_blocks_and_linear_projections() -> None:
    found = targets("sd2")

    assert Counter(target.part for target in found) == {"text_encoder": 138, "unet": 192}
    assert {target.kernel for target in found} == {0}


def test_sdxl_has_kohyas_986_modules_under_ldm_names() -> None:
    found = targets("sdxl")

    assert Counter(target.part for target in found) == {"text_encoder": 72, "text_encoder_2": 192, "unet": 722}
    by_name = {target.name: target for target in found}
    target = by_name["lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_k"]
    assert target.path == "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_k"
    assert by_name["lora_unet_output_blocks_2_1_transformer_blocks_9_ff_net_2"].in_features == 5120
    assert by_name["lora_unet_middle_block_1_proj_in"].path == "mid_block.attentions.0.proj_in"
    assert by_name["lora_te2_text_model_encoder_layers_31_mlp_fc1"].out_features == 5120


def test_sdxl_convolutions_go_by_ldm_names() -> None:
    by_name = {target.name: target.path for target in targets("sdxl", conv=True)}

    assert by_name["lora_unet_input_blocks_3_0_op"] == "down_blocks.0.downsamplers.0.conv"
    assert by_name["lora_unet_input_blocks_4_0_skip_connection"] == "down_blocks.1.resnets.0.conv_shortcut"
    assert by_name["lora_unet_output_blocks_2_2_conv"] == "up_blocks.0.upsamplers.0.conv"
    assert by_name["lora_unet_middle_block_2_in_layers_2"] == "mid_block.resnets.1.conv1"
    assert by_name["lora_unet_output_blocks_8_0_emb_layers_1"] == "up_blocks.2.resnets.2.time_emb_proj"


def test_a_small_model_has_the_same_names_for_what_it_has() -> None:
    names = [target.name for target in targets("sd1", structure=SMALL)]

    assert len(names) == 12 + 4 * 12
    assert "lora_unet_down_blocks_1_attentions_0_proj_in" in names
    assert not any(name.startswith(("lora_unet_down_blocks_0", "lora_unet_up_blocks_1")) for name in names)


def test_a_middle_without_attention_has_one_residual_block() -> None:
    bare = replace(SMALL, unet=replace(SMALL.unet, mid_attention=False))
    middle = [target.path for target in targets("sd1", structure=bare, conv=True) if "mid_block" in target.path]

    assert middle == ["mid_block.resnets.0.conv1", "mid_block.resnets.0.time_emb_proj", "mid_block.resnets.0.conv2"]


def test_no_two_targets_share_a_name_or_a_module() -> None:
    for name in ("sd1", "sd2", "sdxl"):
        found = targets(name, conv=True)
        assert (
            len({target.name for target in found})
            == len({(target.part, target.path) for target in found})
            == len(found)
        )


def test_anima_sd1_sd2_sdxl_and_z_image_are_trained() -> None:
    trained = sorted(name for name, known in KNOWN_FAMILIES.items() if known.trainable)
    assert trained == ["anima", "sd1", "sd2", "sdxl", "z_image"]


def test_a_family_that_is_not_trained_says_so_in_one_sentence() -> None:
    assert why_not_trainable(family("sdxl_refiner")) == (
        "The SDXL refiner is recognised, but this version trains Anima, SD1.x, SD2.x, SDXL and Z-Image only: choose "
        "such a base model"
    )
    assert why_not_trainable(family("sd1")) == ""


def test_an_unknown_family_is_told() -> None:
    with pytest.raises(ModelError, match="no model family 'sd9': known are anima,"):
        family("sd9")


def test_unknown_layers_are_told() -> None:
    with pytest.raises(ModelError, match=r"the layers of FLUX\.1 are not known"):
        family("flux1").lora_targets(SMALL)


@pytest.mark.parametrize(
    ("name", "prediction", "version", "architecture"),
    [
        ("sd1", "epsilon", "sd_v1", "stable-diffusion-v1/lora"),
        ("sd2", "epsilon", "sd_v2", "stable-diffusion-v2-512/lora"),
        ("sd2", "v_prediction", "sd_v2_v", "stable-diffusion-v2-768-v/lora"),
        ("sdxl", "v_prediction", "sdxl_base_v1-0", "stable-diffusion-xl-v1-base/lora"),
    ],
)
def test_kohyas_names_for_the_base_model(name: str, prediction: str, version: str, architecture: str) -> None:
    known = family(name)

    assert known.base_model_version(prediction) == version  # type: ignore[arg-type]
    assert known.modelspec_architecture(prediction) == architecture  # type: ignore[arg-type]

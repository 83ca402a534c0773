from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path

import pytest

from advisor.checkpoints.identify import identify
from advisor.checkpoints.identity import Identity
from tests.support.headers import Shapes, write_model

TO_K = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"


def lora(module: str = TO_K, inputs: int = 768, outputs: int = 640, rank: int = 8) -> dict[str, tuple[int, ...]]:
    return {
        f"{module}.alpha": (),
        f"{module}.lora_down.weight": (rank, inputs),
        f"{module}.lora_up.weight": (outputs, rank),
    }


def of(
    folder: Path, shapes: Shapes, metadata: Mapping[str, str] | None = None, values: Mapping[str, bytes] | None = None
) -> Identity:
    return identify(write_model(folder / "lora.safetensors", shapes, metadata=metadata, values=values))


def test_our_own_lora_is_told_from_kohyas_by_its_comment(tmp_path: Path) -> None:
    found = of(tmp_path, lora(), {"ss_network_module": "networks.lora", "ss_training_comment": "trained with Loracle"})

    assert found.trainer == "Loracle"


def test_a_kohya_lora_has_its_rank_alpha_and_program(tmp_path: Path) -> None:
    found = of(
        tmp_path,
        lora(),
        {"ss_network_module": "networks.lora", "ss_network_alpha": "99", "ss_sd_model_name": "AnyLoRA.safetensors"},
        {f"{TO_K}.alpha": struct.pack("<e", 4)},
    )

    assert (found.kind, found.family, found.adapter) == ("lora", "sd1", "lora")
    assert (found.rank, found.alpha, found.trainer) == (8, 4.0, "sd-scripts")
    assert found.lineage == "anylora"
    assert found.why_not == (
        "it is a LoRA and no base model: choose the checkpoint that it was trained on (AnyLoRA.safetensors)"
    )
    assert not found.trainable


def test_alpha_comes_from_metadata_where_no_tensor_has_it(tmp_path: Path) -> None:
    shapes = {name: shape for name, shape in lora().items() if not name.endswith(".alpha")}

    assert of(tmp_path, shapes).alpha is None
    assert of(tmp_path, shapes, {"ss_network_alpha": "16.0"}).alpha == 16.0
    assert of(tmp_path, shapes, {"lora_adapter_metadata": json.dumps({"unet.lora_alpha": 32})}).alpha == 32.0
    assert of(tmp_path, shapes, {"ss_network_alpha": "None"}).alpha is None


def test_the_rank_is_the_one_that_most_layers_have(tmp_path: Path) -> None:
    shapes = {**lora(), **lora(TO_K.replace("down_blocks_1", "down_blocks_2")), **lora("lora_te_x", rank=4)}
    found = of(tmp_path, shapes)

    assert found.rank == 8
    assert found.notes == ("its layers have ranks from 4 to 8",)


@pytest.mark.parametrize(
    ("adapter", "rank", "tensors"),
    [
        ("locon", 8, {**lora(), "lora_unet_x_conv1.lora_down.weight": (2, 320, 3, 3)}),
        ("locon", 2, {"m.lora_down.weight": (2, 8), "m.lora_mid.weight": (2, 2, 3, 3), "m.lora_up.weight": (8, 2)}),
        (
            "loha",
            6,
            {f"{TO_K}.{n}": s for n, s in (("hada_w1_a", (640, 6)), ("hada_w1_b", (6, 768)), ("hada_w2_a", (640, 6)))},
        ),
        ("lokr", 5, {f"{TO_K}.lokr_w1": (8, 8), f"{TO_K}.lokr_w2_a": (80, 5), f"{TO_K}.lokr_w2_b": (5, 96)}),
        ("lokr", None, {f"{TO_K}.lokr_w1": (8, 8), f"{TO_K}.lokr_w2": (80, 96)}),
        ("dora", 8, {**lora(), f"{TO_K}.dora_scale": (640, 1)}),
        ("diag-oft", None, {f"{TO_K}.oft_blocks": (8, 80, 80), f"{TO_K}.alpha": ()}),
        ("diag-oft", None, {f"{TO_K}.oft_blocks": (8, 80, 80), f"{TO_K}.rescale": (640, 1)}),
        ("boft", None, {f"{TO_K}.oft_blocks": (3, 80, 8, 8), f"{TO_K}.alpha": ()}),
        ("oft", None, {f"oft_unet_{TO_K[10:]}.oft_blocks": (8, 80, 80)}),
        ("oft", None, {f"{TO_K}.oft_R.weight": (8, 3160)}),
        ("full", None, {f"{TO_K}.diff": (640, 768), f"{TO_K}.diff_b": (640,)}),
        ("lora", 8, {**lora(), f"{TO_K}.diff_b": (640,), "lora_unet_norm.w_norm": (640,)}),
        ("glora", 4, {f"{TO_K}.a1.weight": (768, 4), f"{TO_K}.a2.weight": (4, 768), f"{TO_K}.b1.weight": (640, 4)}),
        ("glora", 4, {f"{TO_K}.a1.weight": (4, 768), f"{TO_K}.a2.weight": (768, 4), f"{TO_K}.b1.weight": (4, 768)}),
        ("ia3", None, {f"{TO_K}.weight": (640,), f"{TO_K}.on_input": ()}),
    ],
)
def test_kinds_of_adapters(tmp_path: Path, adapter: str, rank: int | None, tensors: Shapes) -> None:
    found = of(tmp_path, tensors)

    assert (found.kind, found.adapter, found.rank) == ("lora", adapter, rank)


@pytest.mark.parametrize(
    ("axis", "lengths"),
    [
        ("input", {f"{TO_K}.dora_scale": (1, 768)}),
        ("output", {f"{TO_K}.dora_scale": (640, 1)}),
        ("output", {f"{TO_K}.lora_magnitude_vector.default.weight": (640,)}),
        ("output", {f"{TO_K}.lora_magnitude_vector.weight": (1, 640, 1, 1)}),
        (None, {}),
    ],
)
def test_a_dora_tells_by_its_lengths_which_axis_they_are_of(tmp_path: Path, axis: str | None, lengths: Shapes) -> None:
    assert of(tmp_path, {**lora(), **lengths}).dora_axis == axis


@pytest.mark.parametrize(
    "tensors",
    [
        {f"{TO_K}.diff": (640, 768)},
        {f"{TO_K}.a1.weight": (768, 4), f"{TO_K}.a2.weight": (4, 768)},
    ],
)
def test_the_family_of_other_kinds_goes_by_their_widths_too(tmp_path: Path, tensors: Shapes) -> None:
    assert of(tmp_path, tensors).family == "sd1"


@pytest.mark.parametrize("adapter", ["loha", "lokr"])
def test_widths_are_put_together_from_the_factors(tmp_path: Path, adapter: str) -> None:
    tensors = {
        "loha": {f"{TO_K}.hada_w1_a": (640, 6), f"{TO_K}.hada_w1_b": (6, 2048)},
        "lokr": {f"{TO_K}.lokr_w1": (8, 16), f"{TO_K}.lokr_w2_a": (80, 5), f"{TO_K}.lokr_w2_b": (5, 128)},
    }[adapter]

    assert of(tmp_path, tensors).family == "sdxl"


UNET = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k"
BLOCK = "lora_unet_double_blocks_0"


@pytest.mark.parametrize(
    ("family", "tensors"),
    [
        ("sd1", lora()),
        ("sd2", lora(inputs=1024)),
        ("sdxl", lora(inputs=2048)),
        ("sd1", {f"{UNET}.lora_A.weight": (8, 768), f"{UNET}.lora_B.weight": (640, 8)}),
        ("sdxl", {f"{UNET}.lora.down.weight": (8, 2048), f"{UNET}.lora.up.weight": (640, 8)}),
        ("sd1", {f"{UNET[:-5]}.processor.to_k_lora.down.weight": (4, 768)}),
        ("sdxl", {f"base_model.model.{UNET[5:]}.lora_A.default.weight": (8, 2048)}),
        ("sdxl", lora("lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_k", 640)),
        ("sdxl", lora("lora_unet_down_blocks_2_attentions_0_transformer_blocks_5_attn1_to_k", 64)),
        ("sd1", {"lora_unet_down_blocks_1_attentions_0_proj_in.lora_down.weight": (4, 64, 1, 1)}),
        ("flux1", lora(f"{BLOCK}_img_mod_lin", 3072, 18432)),
        ("chroma", lora(f"{BLOCK}_img_mlp_0", 3072, 12288)),
        ("flux1", {**lora(f"{BLOCK}_img_mlp_0", 3072, 12288), **lora(f"{BLOCK}_img_mod_lin", 3072, 18432)}),
        ("flux2", lora(f"{BLOCK}_img_attn_qkv", 6144, 18432)),
        ("hunyuan_image", lora(f"{BLOCK}_img_attn_qkv", 3584, 10752)),
        ("flux1", lora("transformer.single_transformer_blocks.0.attn.to_q", 3072, 3072)),
        ("qwen_image", lora("transformer.transformer_blocks.0.attn.to_q", 3072, 3072)),
        ("sd3", lora("lora_unet_joint_blocks_0_x_block_attn_qkv", 1536, 4608)),
        ("z_image", lora("diffusion_model.layers.0.attention.qkv", 3840, 11520)),
        ("wan", lora("diffusion_model.blocks.0.self_attn.q", 5120, 5120)),
        ("anima", lora("lora_unet_blocks_0_self_attn_q_proj", 2048, 2048)),
        ("anima", lora("diffusion_model.blocks.0.cross_attn.output_proj", 2048, 2048)),
        ("anima", lora("lora_unet_blocks_39_mlp_layer1", 2560, 10240)),
        ("anima", lora("diffusion_model.llm_adapter.blocks.0.mlp.0", 1024, 4096)),
        ("anima", lora("transformer.transformer_blocks.0.attn2.to_k", 1024, 2048)),
        ("cosmos2", lora("lora_unet_blocks_0_self_attn_q_proj", 5120, 5120)),
        (None, lora("lora_unet_something", 100)),
    ],
)
def test_the_family_goes_by_names_and_widths(tmp_path: Path, family: str | None, tensors: Shapes) -> None:
    assert of(tmp_path, tensors).family == family


def test_metadata_tell_the_family_where_the_layers_leave_it_open(tmp_path: Path) -> None:
    assert of(tmp_path, lora("lora_te_x", 100), {"ss_base_model_version": "sd_v2_v"}).family == "sd2"
    assert of(tmp_path, lora("x", 100), {"modelspec.architecture": "stable-diffusion-xl-v1-base/lora"}).family == "sdxl"


def test_layers_beat_metadata(tmp_path: Path) -> None:
    found = of(tmp_path, lora(), {"ss_base_model_version": "sdxl_base_v1-0"})

    assert found.family == "sd1"
    assert "its metadata speak of sdxl" in found.notes[0]


def test_a_flux_lora_predicts_flow_though_its_metadata_say_epsilon(tmp_path: Path) -> None:
    found = of(tmp_path, lora(f"{BLOCK}_img_mod_lin", 3072, 18432), {"modelspec.prediction_type": "epsilon"})

    assert found.prediction == "flow"


@pytest.mark.parametrize(
    ("metadata", "prediction"),
    [
        ({"modelspec.prediction_type": "epsilon"}, "epsilon"),
        ({"ss_base_model_version": "sd_v1_v"}, "v_prediction"),
        ({}, None),
    ],
)
def test_metadata_tell_what_the_base_predicted(
    tmp_path: Path, metadata: dict[str, str], prediction: str | None
) -> None:
    assert of(tmp_path, lora(), metadata).prediction == prediction


@pytest.mark.parametrize(
    ("metadata", "trainer"),
    [
        ({"ot_revision": "abc"}, "OneTrainer"),
        ({"software": '{"name": "ai-toolkit"}'}, "ai-toolkit"),
        ({"ss_network_module": "lycoris.kohya"}, "sd-scripts with LyCORIS"),
        ({"lora_adapter_metadata": "{}"}, "diffusers"),
        ({}, None),
    ],
)
def test_the_program_that_wrote_it(tmp_path: Path, metadata: dict[str, str], trainer: str | None) -> None:
    assert of(tmp_path, lora(), metadata).trainer == trainer

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from advisor.checkpoints.identify import identify
from advisor.checkpoints.identity import Identity
from advisor.errors import ModelError
from advisor.families import family
from advisor.families.stable_diffusion import StableDiffusionStructure, TextStructure, VaeStructure
from advisor.families.unet import UNetStructure
from tests.support.headers import write_model

Json = dict[str, Any]

SD15: dict[str, Json] = {
    "model_index.json": {"_class_name": "StableDiffusionPipeline"},
    "unet/config.json": {
        "_class_name": "UNet2DConditionModel",
        "attention_head_dim": 8,
        "block_out_channels": [320, 640, 1280, 1280],
        "cross_attention_dim": 768,
        "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
        "in_channels": 4,
        "layers_per_block": 2,
        "norm_num_groups": 32,
        "out_channels": 4,
        "sample_size": 64,
        "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
    },
    "vae/config.json": {
        "block_out_channels": [128, 256, 512, 512],
        "down_block_types": ["DownEncoderBlock2D"] * 4,
        "latent_channels": 4,
        "layers_per_block": 2,
    },
    "text_encoder/config.json": {
        "architectures": ["CLIPTextModel"],
        "hidden_size": 768,
        "intermediate_size": 3072,
        "model_type": "clip_text_model",
        "num_attention_heads": 12,
        "num_hidden_layers": 12,
        "projection_dim": 768,
    },
    "scheduler/scheduler_config.json": {"prediction_type": "epsilon"},
}
SMALL: dict[str, Json] = {
    **SD15,
    "unet/config.json": {
        "_class_name": "UNet2DConditionModel",
        "attention_head_dim": 4,
        "block_out_channels": [80, 128],
        "cross_attention_dim": 128,
        "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
        "in_channels": 8,
        "layers_per_block": 1,
        "norm_num_groups": 8,
        "out_channels": 8,
        "sample_size": 16,
        "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
    },
    "vae/config.json": {
        "block_out_channels": [16, 32, 64, 64],
        "latent_channels": 8,
        "layers_per_block": 1,
        "mid_block_add_attention": False,
        "norm_num_groups": 4,
        "scaling_factor": 0.805,
    },
    "text_encoder/config.json": {
        "hidden_size": 128,
        "intermediate_size": 256,
        "max_position_embeddings": 40,
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "vocab_size": 244,
    },
    "scheduler/scheduler_config.json": {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True},
}
WEIGHTS = (
    "unet/diffusion_pytorch_model.safetensors",
    "vae/diffusion_pytorch_model.safetensors",
    "text_encoder/model.safetensors",
)


def write_folder(folder: Path, files: dict[str, Json], weights: tuple[str, ...] = WEIGHTS) -> Path:
    for name, table in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(table))
    for name in weights:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_model(folder / name, {"a.weight": (10, 10)})
    return folder


def changed(files: dict[str, Json], name: str, **values: object) -> dict[str, Json]:
    return {**files, name: {**files[name], **values}}


def of(folder: Path, files: dict[str, Json], weights: tuple[str, ...] = WEIGHTS) -> Identity:
    return identify(write_folder(folder, files, weights))


def test_an_sd15_folder_is_recognised_and_trainable(tmp_path: Path) -> None:
    found = of(tmp_path / "stable-diffusion-v1-5", SD15)

    assert (found.kind, found.layout, found.family, found.variant) == ("checkpoint", "diffusers", "sd1", None)
    assert found.trainable
    assert found.parts == ("denoiser", "vae", "text_encoder")
    assert (found.prediction, found.prediction_reason) == ("epsilon", "scheduler/scheduler_config.json")
    assert found.dtype == "float16"
    assert found.num_parameters == 300
    assert found.lineage == "none"
    standard = family("sd1").standard
    assert isinstance(found.structure, StableDiffusionStructure)
    assert isinstance(standard, StableDiffusionStructure)
    assert (found.structure.unet, found.structure.text, found.structure.vae) == (
        standard.unet,
        standard.text,
        standard.vae,
    )


def test_a_small_model_is_measured_by_its_json(tmp_path: Path) -> None:
    found = of(tmp_path, SMALL)

    assert found.trainable
    assert found.zero_terminal_snr
    assert found.structure == StableDiffusionStructure(
        unet=UNetStructure(8, 8, (80, 128), (0, 1), 1, 128, (4, 4), norm_groups=8),
        text=(TextStructure(width=128, layers=2, heads=4, mlp_width=256, vocab_size=244, max_positions=40),),
        vae=VaeStructure((16, 32, 64, 64), 8, 1, norm_groups=4, mid_attention=False, scaling_factor=0.805),
        native_px=128,
        prediction="v_prediction",
    )
    assert found.variant is None


def test_the_model_index_is_not_needed(tmp_path: Path) -> None:
    files = {name: table for name, table in SD15.items() if name != "model_index.json"}

    assert of(tmp_path, files).trainable


@pytest.mark.parametrize(
    ("unet", "name"),
    [
        ({"addition_embed_type": "text_time"}, "sdxl"),
        ({"addition_embed_type": "text_time", "projection_class_embeddings_input_dim": 2560}, "sdxl_refiner"),
        ({"_class_name": "FluxTransformer2DModel"}, "flux1"),
        ({"_class_name": "SD3Transformer2DModel"}, "sd3"),
        ({"_class_name": "NewThing"}, None),
    ],
)
def test_other_families_are_named_and_not_trainable(tmp_path: Path, unet: Json, name: str | None) -> None:
    found = of(tmp_path, changed(SD15, "unet/config.json", **unet))

    assert found.family == name
    assert not found.trainable
    assert found.why_not


def test_an_sd2_folder_is_recognised_and_trainable(tmp_path: Path) -> None:
    unet = {"use_linear_projection": True, "cross_attention_dim": 1024, "attention_head_dim": [5, 10, 20, 20]}
    found = of(tmp_path, changed(SD15, "unet/config.json", **unet))

    assert (found.family, found.trainable) == ("sd2", True)


def test_a_transformer_folder_predicts_flow(tmp_path: Path) -> None:
    files = {"model_index.json": {}, "transformer/config.json": {"_class_name": "FluxTransformer2DModel"}}

    assert of(tmp_path, files, ()).prediction == "flow"


def test_an_inpainting_folder_is_told(tmp_path: Path) -> None:
    found = of(tmp_path, changed(SD15, "unet/config.json", in_channels=9))

    assert found.variant == "inpainting"
    assert "inpainting variant" in found.why_not


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"down_block_types": ["AttnDownBlock2D"] * 4}, "blocks of the kind AttnDownBlock2D"),
        ({"up_block_types": ["CrossAttnUpBlock2D"] * 4}, "do not mirror"),
        ({"mid_block_type": None}, "mid_block_type is None"),
        ({"time_cond_proj_dim": 256}, "time_cond_proj_dim = 256"),
        ({"layers_per_block": [2, 2, 2, 1]}, "differ in layers_per_block"),
    ],
)
def test_a_model_built_otherwise_is_not_trained(tmp_path: Path, values: Json, told: str) -> None:
    found = of(tmp_path, changed(SD15, "unet/config.json", **values))

    assert found.structure is None
    assert not found.trainable
    assert told in found.why_not


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("unet/config.json", {"block_out_channels": "many"}),
        ("unet/config.json", {"block_out_channels": [320, -1]}),
        ("unet/config.json", {"attention_head_dim": True}),
        ("unet/config.json", {"attention_head_dim": [8, 8]}),
        ("unet/config.json", {"cross_attention_dim": 10**30}),
        ("vae/config.json", {"scaling_factor": "large"}),
        ("text_encoder/config.json", {"hidden_act": 5}),
        ("scheduler/scheduler_config.json", {"prediction_type": 5}),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_file_and_key(tmp_path: Path, name: str, values: Json) -> None:
    with pytest.raises(ModelError) as error:
        of(tmp_path, changed(SD15, name, **values))

    assert f"{name}: {next(iter(values))} is" in str(error.value).replace("\\", "/")


def test_missing_weights_are_told(tmp_path: Path) -> None:
    found = of(tmp_path, SD15, WEIGHTS[:2])

    assert found.parts == ("denoiser", "vae")
    assert found.why_not == "text_encoder/ has no .safetensors weights: download the whole folder again"


def test_weights_that_are_pickles_are_sent_to_convert(tmp_path: Path) -> None:
    write_folder(tmp_path, SD15, WEIGHTS[1:])
    (tmp_path / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"\x80\x02}")

    assert "unet/ has only pickles (.bin): `loracle convert`" in identify(tmp_path).why_not


def test_a_missing_text_encoder_json_is_told(tmp_path: Path) -> None:
    files = {name: table for name, table in SD15.items() if name != "text_encoder/config.json"}

    assert "there is no text_encoder/config.json" in of(tmp_path, files).why_not


def test_shards_count_together(tmp_path: Path) -> None:
    names = [f"unet/diffusion_pytorch_model-0000{number}-of-00002.safetensors" for number in (1, 2)]

    assert of(tmp_path, SD15, (*names, *WEIGHTS[1:])).num_parameters == 400


def test_another_precision_is_taken_where_the_plain_file_is_not_there(tmp_path: Path) -> None:
    found = of(tmp_path, SD15, ("unet/diffusion_pytorch_model.fp16.safetensors", *WEIGHTS[1:]))

    assert found.trainable


def test_a_damaged_weight_file_is_told(tmp_path: Path) -> None:
    write_folder(tmp_path, SD15)
    (tmp_path / WEIGHTS[0]).write_bytes(b"")

    with pytest.raises(ModelError, match="is empty"):
        identify(tmp_path)


@pytest.mark.parametrize(
    ("content", "told"), [("{", "is not JSON"), ("[]", "holds a list"), ("[" * 99999, "is not JSON")]
)
def test_json_that_is_none_is_told(tmp_path: Path, content: str, told: str) -> None:
    write_folder(tmp_path, SD15)
    (tmp_path / "unet" / "config.json").write_text(content)

    with pytest.raises(ModelError, match=told):
        identify(tmp_path)


def test_an_empty_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has no model_index\.json"):
        identify(tmp_path)


def test_a_folder_of_checkpoints_names_some_of_them(tmp_path: Path) -> None:
    for name in "abcde":
        write_model(tmp_path / f"{name}.safetensors", {"x": (1,)})

    with pytest.raises(ModelError, match=r"of them, a\.safetensors, b\.safetensors, c\.safetensors and 2 more"):
        identify(tmp_path)


def test_the_folder_of_one_part_points_above_it(tmp_path: Path) -> None:
    write_folder(tmp_path, SD15)

    with pytest.raises(ModelError, match="give the folder above it"):
        identify(tmp_path / "unet")


def test_a_folder_without_a_denoiser_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no unet/config\.json or transformer/config\.json"):
        of(tmp_path, {"model_index.json": {}}, ())


def test_a_scheduler_that_predicts_something_else_is_told(tmp_path: Path) -> None:
    found = of(tmp_path, changed(SD15, "scheduler/scheduler_config.json", prediction_type="sample"))

    assert found.prediction is None
    assert "predicts 'sample'" in found.notes[0]

from __future__ import annotations

from typing import Any

from templates.importing.imported import Imported
from templates.onetrainer.import_config import import_onetrainer

FOLDER = "circlestone-labs/Anima-Base-v1.0-Diffusers"
PRESET = {
    "base_model_name": FOLDER, "batch_size": 2, "learning_rate": 3e-05, "model_type": "ANIMA",
    "output_model_format": "KOHYA_LORA", "resolution": "512", "compile": True,
    "transformer": {"train": True, "weight_dtype": "INT_W8A8"}, "text_encoder": {"train": False},
    "training_method": "LORA", "train_dtype": "BFLOAT_16", "weight_dtype": "BFLOAT_16",
    "timestep_distribution": "LOGIT_NORMAL", "layer_filter": "attn1,attn2,ff", "layer_filter_preset": "attn-mlp",
}  # fmt: skip
"""As OneTrainer's own preset has it."""


def imported(**keys: Any) -> Imported:
    return import_onetrainer({**PRESET, **keys})


def test_its_own_preset_is_a_training_of_ours() -> None:
    found = imported()

    assert found.effective["model.family"] == "anima"
    assert found.effective["model.prediction"] == "flow"
    assert found.effective["memory.base_dtype"] == "int8"
    assert found.effective["optimizer.unet_learning_rate"] == 3e-5
    assert found.effective["optimizer.text_encoder_learning_rate"] == 0.0
    assert found.effective["network.conv_rank"] == 0
    assert found.effective["saving.layer_names"] == "kohya"
    assert [line.key for line in (*found.of("unknown"), *found.of("contradictory"))] == []


def test_the_denoisers_own_file_is_the_base_model() -> None:
    found = imported(transformer={"model_name": "/m/anima.safetensors", "learning_rate": 1e-4})

    assert found.effective["model.path"] == "/m/anima.safetensors"
    (line,) = [line for line in found.lines if line.path == "model.path"]
    assert line.key == "transformer.model_name"
    assert {line.verdict for line in found.lines if line.key == "base_model_name"} == {"idle"}


def test_all_linear_layers_are_more_than_ours() -> None:
    found = imported(layer_filter="", layer_filter_preset="full")

    assert [line.key for line in found.of("contradictory")] == ["layer_filter_preset"]
    assert found.effective["network.kind"] == "lora"


def test_other_filters_and_noise_that_anima_has_no_use_for_are_told() -> None:
    found = imported(layer_filter="attn1", offset_noise_weight=0.1)

    assert {"layer_filter", "offset_noise_weight"} <= {line.key for line in found.of("dropped")}
    assert found.effective["loss.noise_offset"] == 0.0


def test_a_shift_by_size_and_forms_of_captions_are_kept() -> None:
    concepts = [{"path": "/p", "text_variations": 6, "text": {"enable_tag_shuffling": True}}]

    found = imported(dynamic_timestep_shifting=True, concepts=concepts).effective

    assert (found["loss.timestep_shift"], found["memory.text_variants"]) == ("auto", 6)


Z_PRESET = {
    "base_model_name": "Tongyi-MAI/Z-Image", "batch_size": 2, "learning_rate": 0.0003, "model_type": "Z_IMAGE",
    "output_model_format": "DIFFUSERS_LORA", "resolution": "512", "compile": True,
    "transformer": {"train": True, "weight_dtype": "FLOAT_8", "offload_fraction": 0.6},
    "text_encoder": {"train": False, "weight_dtype": "FLOAT_8"}, "training_method": "LORA",
    "vae": {"weight_dtype": "FLOAT_32"}, "train_dtype": "BFLOAT_16", "weight_dtype": "BFLOAT_16",
    "output_dtype": "BFLOAT_16", "layer_filter_preset": "attn-mlp", "layer_filter_regex": True,
    "layer_filter": "^(?=.*attention)(?!.*refiner).*,^(?=.*feed_forward)(?!.*refiner).*",
    "quantization": {"layer_filter": "layers", "layer_filter_preset": "blocks"},
    "timestep_distribution": "LOGIT_NORMAL",
}  # fmt: skip
"""As OneTrainer's own preset for cards of 8 GB has it."""


def test_the_preset_of_z_image_is_a_training_of_ours() -> None:
    found = import_onetrainer(Z_PRESET)

    assert found.effective["model.family"] == "z_image"
    assert found.effective["model.path"] == "Tongyi-MAI/Z-Image"
    assert found.effective["memory.base_dtype"] == "int8"
    assert found.effective["saving.layer_names"] == "usual"
    assert found.effective["loss.timestep_sampling"] == "logit_normal"
    assert found.effective["optimizer.text_encoder_learning_rate"] == 0.0
    assert [line.key for line in (*found.of("unknown"), *found.of("contradictory"))] == []
    assert "transformer.offload_fraction" in {line.key for line in found.of("dropped")}


def test_the_same_words_as_parts_of_names_are_another_filter() -> None:
    found = import_onetrainer({**Z_PRESET, "layer_filter_regex": False})

    assert "layer_filter" in {line.key for line in found.of("dropped")}

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from advisor.errors import RunError
from templates.importers import import_config
from templates.importing.imported import Imported
from templates.musubi.import_config import import_musubi
from tests.support.given_files import GivenFiles

GUIDE = {
    "dit": "/m/z_image_bf16.safetensors", "vae": "/m/ae.safetensors", "text_encoder": "/m/qwen_3_4b.safetensors",
    "dataset_config": "/m/dataset.toml", "sdpa": True, "mixed_precision": "bf16", "timestep_sampling": "shift",
    "weighting_scheme": "none", "discrete_flow_shift": 2.0, "optimizer_type": "adamw8bit", "learning_rate": 1e-4,
    "gradient_checkpointing": True, "max_data_loader_n_workers": 2, "persistent_data_loader_workers": True,
    "network_module": "networks.lora_zimage", "network_dim": 32, "max_train_epochs": 16, "save_every_n_epochs": 1,
    "seed": 42, "output_dir": "/o", "output_name": "mira",
}  # fmt: skip
"""The command of its guide to Z-Image, as a file."""
DATASET = {
    "general": {"resolution": [960, 544], "caption_extension": ".txt", "batch_size": 1, "enable_bucket": True},
    "datasets": [
        {"image_directory": "/p/a", "cache_directory": "/c/a", "num_repeats": 2},
        {"image_directory": "/p/b", "num_repeats": 1, "batch_size": 1},
    ],
}  # fmt: skip


def imported(*, dataset: Any = DATASET, launch: Any = "", **keys: Any) -> Imported:
    given = {key: value for key, value in {**GUIDE, **keys}.items() if value is not None}
    return import_musubi(given, GivenFiles({"/p": {"a": 10, "b": 5}}), dataset=dataset, launch=launch)


def test_the_guides_command_is_a_training_of_ours() -> None:
    found = imported()

    for path, value in {
        "model.family": "z_image", "model.prediction": "flow", "model.path": "/m/z_image_bf16.safetensors",
        "model.text_encoder_path": "/m/qwen_3_4b.safetensors", "optimizer.name": "adamw8bit",
        "optimizer.unet_learning_rate": 1e-4, "optimizer.text_encoder_learning_rate": 0.0,
        "loss.timestep_sampling": "logit_normal", "loss.timestep_shift": 2.0, "network.rank": 32, "network.alpha": 1.0,
        "network.kind": "lora", "schedule.epochs": 16, "memory.base_dtype": "bfloat16", "memory.cache_text": True,
        "saving.layer_names": "kohya", "saving.dtype": "float32", "run.seed": 42,
    }.items():  # fmt: skip
        assert found.effective[path] == value, path
    assert [line.key for line in (*found.of("unknown"), *found.of("contradictory"), *found.of("dropped"))] == []


def test_folders_come_with_their_repeats_and_a_square_of_their_area() -> None:
    found = imported().effective

    assert found["dataset.images"] == "/p"
    assert [(one.path, one.repeats) for one in found["dataset.folders"]] == [("a", 2), ("b", 1)]
    assert (found["dataset.resolution_px"], found["dataset.bucket_upscale"]) == (704, True)
    assert (found["dataset.min_bucket_px"], found["dataset.max_bucket_px"]) == (352, 1408)


def test_steps_are_epochs_enough_to_hold_them() -> None:
    found = imported(max_train_epochs=None, max_train_steps=100).effective

    assert (found["schedule.max_steps"], found["schedule.epochs"]) == (100, 4)


def test_without_a_word_times_are_drawn_evenly() -> None:
    found = imported(timestep_sampling=None, discrete_flow_shift=None).effective
    shifted = imported(timestep_sampling="sigma", discrete_flow_shift=3.0).effective

    assert (found["loss.timestep_sampling"], found["loss.timestep_shift"]) == ("uniform", 1.0)
    assert (shifted["loss.timestep_sampling"], shifted["loss.timestep_shift"]) == ("uniform", 3.0)


def test_ways_of_drawing_times_that_we_do_not_have_are_told() -> None:
    found = imported(timestep_sampling="qinglong_flux", num_timestep_buckets=4)

    assert {"timestep_sampling", "num_timestep_buckets"} <= {line.key for line in found.of("dropped")}


@pytest.mark.parametrize("flags", [{"fp8_base": True, "fp8_scaled": True}, {"fp8_base": True}])
def test_8_bit_floats_are_int8_with_us(flags: dict[str, Any]) -> None:
    found = imported(blocks_to_swap=20, **flags).effective

    assert (found["memory.base_dtype"], found["memory.swapped_blocks"]) == ("int8", 20)


def test_guidance_is_one_more_than_its_option(tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("mira, a fox --n grey --l 3.5 --s 30 --d 7\n", encoding="utf-8")
    text = "".join(f"{key} = {value!r}\n".lower() for key, value in {"dit": "/m/z.safetensors"}.items())
    text += 'network_module = "networks.lora_zimage"\nsample_prompts = "prompts.txt"\nsample_every_n_epochs = 2\n'
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")

    found = import_config(tmp_path)

    assert found.format == "musubi-tuner"
    assert found.effective["sampling.prompts"] == ("mira, a fox",)
    assert (found.effective["sampling.guidance"], found.effective["sampling.every_epochs"]) == (4.5, 2)


def test_a_data_set_alone_says_where_pictures_are(tmp_path: Path) -> None:
    text = '[general]\nresolution = 1024\nenable_bucket = true\n[[datasets]]\nimage_directory = "/p/a"\n'
    (tmp_path / "dataset.toml").write_text(text, encoding="utf-8")

    found = import_config(tmp_path / "dataset.toml")

    assert found.format == "musubi-tuner"
    assert (found.effective["dataset.images"], found.effective["dataset.resolution_px"]) == ("/p/a", 1024)
    assert "optimizer.name" not in found.effective


def test_files_for_other_models_are_refused() -> None:
    with pytest.raises(RunError, match="trains wan; of musubi-tuner's files those for Z-Image are read"):
        imported(network_module="networks.lora_wan")
    with pytest.raises(RunError, match="trains qwen_image"):
        imported(launch="accelerate launch src/musubi_tuner/qwen_image_train_network.py --config_file c.toml")


def test_the_launch_line_says_threads_and_the_card() -> None:
    line = (
        "CUDA_VISIBLE_DEVICES=GPU-a accelerate launch --num_cpu_threads_per_process 3 "
        "src/musubi_tuner/zimage_train_network.py --config_file c.toml"
    )
    found = imported(launch=f"python x.py --vae /other\n{line}\n").effective

    assert (found["machine.gpu_uuid"], found["machine.cpu_threads"]) == ("GPU-a", 3)
    assert found["model.vae_path"] == "/m/ae.safetensors"


def test_arguments_of_the_adapter() -> None:
    found = imported(
        network_module="networks.lokr", network_args=["factor=8", "rank_dropout=0.1", "exclude_patterns=['x']"]
    )

    assert (found.effective["network.kind"], found.effective["network.factor"]) == ("lokr", 8)
    assert found.effective["network.rank_dropout"] == 0.1
    assert any("exclude_patterns" in line.note for line in found.of("dropped"))

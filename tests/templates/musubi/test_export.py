from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from advisor.errors import ConfigErrors
from advisor.families.z_image import STANDARD
from advisor.settings.config import TrainingConfig
from templates.exporters import EXPORTERS
from templates.exporting.exporter import Export
from tests.support.flow_exports import Z_FOLDER, Z_MODEL, Z_QWEN, Z_VAE, z_image_config
from tests.support.pictures import make_pictures
from tests.support.samples import sample_config
from tests.support.tiny_z_image import write_empty_z_image, write_tiny_z_image


def written(place: Path, config: TrainingConfig) -> Export:
    return EXPORTERS["musubi-tuner"].write(config, run=place / "run", out=None)


def export(place: Path, **groups: Any) -> tuple[Export, dict[str, Any]]:
    """What was written, and the keys of `config.toml` without their tables."""
    if not (place / "p").exists():
        make_pictures(place / "p", 2)
    found = written(place, z_image_config(place / "p", **groups))
    tables = tomllib.loads(found.paths[0].read_text("utf-8"))
    return found, {key: value for table in tables.values() for key, value in table.items()}


def test_its_three_files_and_the_family_are_named(tmp_path: Path) -> None:
    found, keys = export(tmp_path, loss={"timestep_shift": 2.0, "min_timestep": 100, "max_timestep": 900})

    assert (keys["dit"], keys["text_encoder"], keys["vae"]) == (Z_MODEL, Z_QWEN, Z_VAE)
    assert (keys["network_module"], keys["network_dim"], keys["network_alpha"]) == ("networks.lora_zimage", 32, 16.0)
    assert (keys["timestep_sampling"], keys["discrete_flow_shift"]) == ("shift", 2.0)
    assert (keys["min_timestep"], keys["max_timestep"], keys["weighting_scheme"]) == (100, 900, "none")
    assert keys["learning_rate"] == 1e-4
    assert [path.name for path in found.paths] == ["config.toml", "dataset.toml", "train.sh", "train.ps1"]


def test_pictures_and_captions_are_encoded_before_training(tmp_path: Path) -> None:
    found, _ = export(tmp_path, machine={"gpu_uuid": "GPU-a"}, memory={"base_dtype": "int8"})
    home = found.paths[0].parent
    lines = (home / "train.sh").read_text("utf-8").splitlines()

    assert lines[:2] == ["#!/bin/sh", "set -e"]
    assert [line.split()[2] for line in lines[2:4]] == [
        "src/musubi_tuner/zimage_cache_latents.py", "src/musubi_tuner/zimage_cache_text_encoder_outputs.py"
    ]  # fmt: skip
    assert all(line.startswith("CUDA_VISIBLE_DEVICES=GPU-a ") for line in lines[2:])
    assert lines[3].endswith("--fp8_llm")
    assert lines[4].endswith(f"src/musubi_tuner/zimage_train_network.py --config_file {home / 'config.toml'}")


def test_each_folder_has_a_cache_of_its_own(tmp_path: Path) -> None:
    make_pictures(tmp_path / "p" / "3_a", 2)
    make_pictures(tmp_path / "p" / "5_b", 2)
    named = [{"path": "3_a", "repeats": 3}, {"path": "5_b", "repeats": 5}]
    found, _ = export(tmp_path, dataset={"bucket_upscale": True, "folders": named})
    tree = tomllib.loads(found.paths[1].read_text("utf-8"))

    assert tree["general"]["resolution"] == [512, 512]
    assert (tree["general"]["enable_bucket"], tree["general"]["bucket_no_upscale"]) == (True, False)
    assert [one["num_repeats"] for one in tree["datasets"]] == [3, 5]
    assert len({one["cache_directory"] for one in tree["datasets"]}) == 2


def test_a_picture_without_a_caption_which_it_would_leave_out_gets_its_concept(tmp_path: Path) -> None:
    make_pictures(tmp_path / "p", 2)
    first, second = sorted((tmp_path / "p").glob("*.txt"))
    first.write_text("foxgirl, smiling", encoding="utf-8")
    second.unlink()

    found, _ = export(tmp_path)
    captions = {path.read_text("utf-8").strip() for path in (found.paths[0].parent / "img").rglob("*.txt")}

    assert captions == {"foxgirl, smiling", "foxgirl"}


@pytest.mark.parametrize("base_dtype", ["int8", "nf4"])
def test_fewer_bits_become_8_bit_floats_and_are_told(tmp_path: Path, base_dtype: str) -> None:
    found, keys = export(tmp_path, memory={"base_dtype": base_dtype, "swapped_blocks": 29})

    assert (keys["fp8_base"], keys["fp8_scaled"], keys["blocks_to_swap"]) == (True, True, 28)
    assert any(note.startswith("memory.base_dtype") and base_dtype in note for note in found.notes)
    assert any(note.startswith("memory.swapped_blocks (29)") for note in found.notes)


def test_guidance_is_what_is_added_to_the_prompts_own_answer(tmp_path: Path) -> None:
    found, keys = export(
        tmp_path, sampling={"prompts": ["a fox --w 9"], "negative": "grey", "guidance": 4.5, "steps": 30}
    )
    lines = Path(keys["sample_prompts"]).read_text("utf-8")

    assert lines == "a fox -w 9 --n grey --w 512 --h 512 --s 30 --d 42 --l 3.5 --fs 3\n"
    assert any(note.startswith("sampling.prompts") for note in found.notes)
    assert not any(note.startswith("sampling.guidance") for note in found.notes)


def test_guidance_that_it_does_not_draw_with_is_told(tmp_path: Path) -> None:
    found, _ = export(tmp_path, sampling={"prompts": ["a fox"], "guidance": 1.5})

    assert any(note.startswith("sampling.guidance (1.5)") for note in found.notes)


def test_what_is_otherwise_there_is_told(tmp_path: Path) -> None:
    found, _ = export(
        tmp_path, dataset={"shuffle_captions": True, "flip": True}, network={"start_from": "/l.safetensors"}
    )

    for path in ("dataset.shuffle_captions", "dataset.flip", "network.start_from", "saving.layer_names"):
        assert any(note.startswith(path) for note in found.notes), path
    assert any("multiples of 32 tokens" in note for note in found.notes)


@pytest.mark.parametrize(
    ("groups", "path"),
    [
        ({"model": {"path": Z_FOLDER}}, "model.path"),
        ({"model": {"vae_path": Z_FOLDER}}, "model.vae_path"),
        ({"model": {"text_encoder_path": None}}, "model.text_encoder_path"),
        ({"loss": {"kind": "huber"}}, "loss.kind"),
        ({"loss": {"timestep_shift": "auto", "timestep_mean": 0.5}}, "loss.timestep_shift"),
        (
            {"loss": {"timestep_sampling": "uniform", "timestep_shift": 3.0, "max_timestep": 500}},
            "loss.timestep_shift",
        ),
        ({"network": {"kind": "dora"}}, "network.kind"),
    ],
)  # fmt: skip
def test_what_it_cannot_do_is_refused_before_anything_is_written(
    tmp_path: Path, groups: dict[str, Any], path: str
) -> None:
    with pytest.raises(ConfigErrors) as caught:
        export(tmp_path, **groups)

    assert [error.path for error in caught.value.errors] == [path]
    assert not (tmp_path / "run").exists()


def test_other_families_are_refused_by_name(tmp_path: Path) -> None:
    make_pictures(tmp_path / "p", 2)

    with pytest.raises(ConfigErrors, match="we write musubi-tuner's files for Z-Image"):
        written(tmp_path, sample_config(tmp_path / "p"))


def test_a_file_that_it_does_not_read_is_refused(tmp_path: Path) -> None:
    large = write_empty_z_image(tmp_path / "large", STANDARD, prefix="model.diffusion_model.")
    tiny = write_tiny_z_image(tmp_path / "tiny")

    with pytest.raises(ConfigErrors, match=r"these are model\.diffusion_model\.layers"):
        export(tmp_path, model={"path": str(large.denoiser)})
    with pytest.raises(ConfigErrors, match="30 blocks of width 3840; this one has 2 of width 64"):
        export(tmp_path, model={"path": str(tiny.denoiser)})

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from advisor.errors import ConfigErrors
from advisor.families.z_image import STANDARD
from templates.exporters import EXPORTERS
from templates.exporting.exporter import Export
from tests.support.flow_exports import FOLDER, MODEL, Z_MODEL, anima_config, z_image_config
from tests.support.pictures import make_pictures
from tests.support.tiny_anima import write_tiny_anima
from tests.support.tiny_z_image import write_empty_z_image

ANIMA_FOLDER = "circlestone-labs/Anima-Base-v1.0-Diffusers"


def export(place: Path, **groups: Any) -> tuple[Export, dict[str, Any], list[dict[str, Any]]]:
    if not (place / "p").exists():
        make_pictures(place / "p", 2)
    written = EXPORTERS["onetrainer"].write(anima_config(place / "p", **groups), run=place / "run", out=None)
    config, concepts = (json.loads(path.read_text("utf-8")) for path in written.paths[:2])
    return written, config, concepts


def test_a_denoisers_file_goes_beside_the_published_folder(tmp_path: Path) -> None:
    written, found, _ = export(tmp_path, loss={"timestep_shift": "auto", "timestep_mean": 0.5, "timestep_scale": 1.5})

    assert (found["model_type"], found["base_model_name"]) == ("ANIMA", ANIMA_FOLDER)
    assert found["transformer"]["model_name"] == MODEL
    assert found["transformer"]["train"] is True
    assert (found["text_encoder"]["train"], found["vae"]["model_name"]) == (False, "")
    assert "unet" not in found
    assert found["layer_filter"] == "attn1,attn2,ff"
    assert found["output_model_format"] == "COMFY_LORA"
    assert (found["timestep_distribution"], found["dynamic_timestep_shifting"]) == ("LOGIT_NORMAL", True)
    assert (found["noising_bias"], found["noising_weight"]) == (0.5, 0.5)
    for path in ("model.path", "model.vae_path", "model.text_encoder_path", "saving.layer_names"):
        assert any(note.startswith(path) for note in written.notes), path


def test_a_folder_is_the_base_model_itself(tmp_path: Path) -> None:
    model = {"path": FOLDER, "text_encoder_path": FOLDER, "vae_path": FOLDER}

    written, found, _ = export(tmp_path, model=model, saving={"layer_names": "kohya"})

    assert (found["base_model_name"], found["output_model_format"]) == (FOLDER, "KOHYA_LORA")
    assert "model_name" not in found["transformer"]
    assert not any(note.startswith(("model.", "saving.layer_names")) for note in written.notes)


def test_forms_of_a_caption_are_text_variations(tmp_path: Path) -> None:
    _, _, concepts = export(tmp_path, dataset={"shuffle_captions": True}, memory={"text_variants": 6})

    assert [concept["text_variations"] for concept in concepts] == [6]


def test_dropout_of_captions_which_stops_onetrainer_is_left_out_and_told(tmp_path: Path) -> None:
    written, found, _ = export(tmp_path, dataset={"caption_dropout": 0.1}, network={"text_adapter": True})

    assert found["text_encoder"]["dropout_probability"] == 0.0
    assert any(note.startswith("dataset.caption_dropout") for note in written.notes)
    assert any(note.startswith("network.text_adapter") for note in written.notes)


def test_a_base_model_with_other_measures_is_refused(tmp_path: Path) -> None:
    files = write_tiny_anima(tmp_path / "models", prefix="model.diffusion_model.")

    with pytest.raises(ConfigErrors) as caught:
        export(tmp_path, model={"path": str(files.denoiser)})

    assert "model.diffusion_model.blocks" in str(caught.value)
    assert "28 blocks" in str(caught.value)


def test_training_sizes_are_those_of_64_px(tmp_path: Path) -> None:
    make_pictures(tmp_path / "p", 2, sizes=((820, 1270),))

    written, _, _ = export(tmp_path, dataset={"resolution_px": 1024, "min_bucket_px": 512, "max_bucket_px": 2048})

    assert any("832x1280" in note for note in written.notes)


def test_z_image_goes_as_onetrainers_preset_has_it(tmp_path: Path) -> None:
    make_pictures(tmp_path / "p", 2)
    config = z_image_config(tmp_path / "p", memory={"base_dtype": "int8"})

    written = EXPORTERS["onetrainer"].write(config, run=tmp_path / "run", out=None)
    found = json.loads(written.paths[0].read_text("utf-8"))

    assert (found["model_type"], found["base_model_name"]) == ("Z_IMAGE", "Tongyi-MAI/Z-Image")
    assert (found["transformer"]["model_name"], found["transformer"]["weight_dtype"]) == (Z_MODEL, "INT_8")
    assert found["text_encoder"] == {"train": False, "weight_dtype": "INT_8", "dropout_probability": 0.0}
    assert found["layer_filter"] == "^(?=.*attention)(?!.*refiner).*,^(?=.*feed_forward)(?!.*refiner).*"
    assert (found["layer_filter_regex"], found["layer_filter_preset"]) == (True, "attn-mlp")
    assert found["output_model_format"] == "COMFY_LORA"
    (told,) = [note for note in written.notes if note.startswith("model.path")]
    assert "text adapter" not in told
    assert not any(note.startswith("saving.layer_names") for note in written.notes)


@pytest.mark.parametrize(("prefix", "is_read"), [("", True), ("model.diffusion_model.", True), ("net.", False)])
def test_a_z_image_needs_names_that_diffusers_reads(tmp_path: Path, prefix: str, is_read: bool) -> None:
    make_pictures(tmp_path / "p", 2)
    files = write_empty_z_image(tmp_path / "models", STANDARD, prefix=prefix)
    config = z_image_config(tmp_path / "p", model={"path": str(files.denoiser)})

    if is_read:
        assert EXPORTERS["onetrainer"].write(config, run=tmp_path / "run", out=None).paths
        return
    with pytest.raises(ConfigErrors, match=r"these are net\.layers"):
        EXPORTERS["onetrainer"].write(config, run=tmp_path / "run", out=None)

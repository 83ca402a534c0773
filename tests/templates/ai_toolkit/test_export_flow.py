from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from advisor.errors import ConfigErrors
from advisor.families.z_image import STANDARD
from templates.exporters import EXPORTERS
from templates.exporting.exporter import Export
from templates.importing.document import parse_yaml
from tests.support.flow_exports import FOLDER, Z_MODEL, anima_config, z_image_config
from tests.support.pictures import make_pictures
from tests.support.tiny_z_image import write_empty_z_image


def export(place: Path, **groups: Any) -> tuple[Export, dict[str, Any]]:
    if not (place / "p").exists():
        make_pictures(place / "p", 2)
    model = {"path": FOLDER, "text_encoder_path": FOLDER, "vae_path": FOLDER, **groups.pop("model", {})}
    written = EXPORTERS["ai-toolkit"].write(
        anima_config(place / "p", model=model, **groups), run=place / "run", out=None
    )
    tree: Any = parse_yaml(written.paths[0].read_text("utf-8")).tree
    return written, tree["config"]["process"][0]


def test_the_layers_that_a_plain_lora_adapts_are_chosen_by_name(tmp_path: Path) -> None:
    written, found = export(tmp_path, network={"text_adapter": True, "rank_dropout": 0.1})

    assert found["network"]["network_kwargs"] == {
        "only_if_contains": ["attn1", "attn2", ".ff.", "text_conditioner.blocks"], "rank_dropout": 0.1
    }  # fmt: skip
    assert found["model"]["arch"] == "anima"
    assert found["model"]["model_kwargs"] == {"train_text_conditioner": True}
    assert found["network"]["linear_alpha"] == found["network"]["linear"] == 32
    assert any(note.startswith("network.alpha (16)") for note in written.notes)


@pytest.mark.parametrize(
    ("loss", "expected", "told"),
    [
        ({}, {"timestep_type": "sigmoid"}, ""),
        ({"timestep_sampling": "uniform"}, {"timestep_type": "linear"}, ""),
        ({"timestep_sampling": "uniform", "timestep_shift": 3.0}, {"timestep_type": "shift"}, ""),
        (
            {"timestep_sampling": "uniform", "timestep_weighting": "bell"},
            {"timestep_type": "linear", "linear_timesteps": True}, "",
        ),
        ({"timestep_shift": 2.0}, {"timestep_type": "sigmoid"}, "loss.timestep_shift (2.0)"),
        ({"timestep_mean": 0.5}, {"timestep_type": "sigmoid"}, "loss.timestep_mean (0.5)"),
        ({"timestep_weighting": "bell"}, {"timestep_type": "sigmoid"}, "loss.timestep_weighting"),
    ],
)  # fmt: skip
def test_timesteps_are_drawn_alike_or_it_is_told(
    tmp_path: Path, loss: dict[str, Any], expected: dict[str, Any], told: str
) -> None:
    written, found = export(tmp_path, loss=loss)

    assert {
        key: value for key, value in found["train"].items() if "timesteps" in key or "timestep_type" in key
    } == expected
    assert found["train"]["noise_scheduler"] == "flowmatch"
    assert [note for note in written.notes if note.startswith("loss.")] == [
        note for note in written.notes if told and note.startswith(told)
    ]
    assert bool(told) == any(note.startswith("loss.") for note in written.notes)


def test_an_int8_base_is_quantised_there(tmp_path: Path) -> None:
    written, found = export(tmp_path, memory={"base_dtype": "int8"})

    assert (found["model"]["quantize"], found["model"]["qtype"]) == (True, "int8")
    assert not any(note.startswith("memory.base_dtype") for note in written.notes)


def test_shuffled_captions_are_not_cached_where_the_cache_would_hold_one(tmp_path: Path) -> None:
    _, found = export(tmp_path, dataset={"shuffle_captions": True}, memory={"text_variants": 8})

    assert [one["cache_text_embeddings"] for one in found["datasets"]] == [False]


def test_a_single_file_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match="diffusers folder alone"):
        export(tmp_path, model={"path": "/m/anima.safetensors"})


def test_z_image_trains_the_blocks_that_ours_does(tmp_path: Path) -> None:
    make_pictures(tmp_path / "p", 2)
    config = z_image_config(tmp_path / "p", memory={"base_dtype": "int8"}, sampling={"prompts": ["a fox"]})

    written = EXPORTERS["ai-toolkit"].write(config, run=tmp_path / "run", out=None)
    found = parse_yaml(written.paths[0].read_text("utf-8")).tree["config"]["process"][0]

    assert (found["model"]["arch"], found["model"]["name_or_path"]) == ("zimage", Z_MODEL)
    assert found["network"]["network_kwargs"] == {"only_if_contains": ["attention.to_", "feed_forward."]}
    assert [found["model"][key] for key in ("quantize", "qtype", "quantize_te", "qtype_te")] == [
        True, "int8", True, "int8"
    ]  # fmt: skip
    assert (found["train"]["noise_scheduler"], found["train"]["timestep_type"]) == ("flowmatch", "sigmoid")
    assert found["sample"]["sampler"] == "flowmatch"
    assert any(note.startswith("model.path") and "Tongyi-MAI/Z-Image-Turbo" in note for note in written.notes)
    assert not any(note.startswith("memory.base_dtype") for note in written.notes)


def test_a_z_image_with_a_prefix_before_its_names_is_refused(tmp_path: Path) -> None:
    make_pictures(tmp_path / "p", 2)
    files = write_empty_z_image(tmp_path / "models", STANDARD, prefix="model.diffusion_model.")
    config = z_image_config(tmp_path / "p", model={"path": str(files.denoiser)})

    with pytest.raises(ConfigErrors, match=r"takes weights named layers\.\.\., and these are model.diffusion_model"):
        EXPORTERS["ai-toolkit"].write(config, run=tmp_path / "run", out=None)


def test_sides_of_z_image_are_multiples_of_16_there(tmp_path: Path) -> None:
    make_pictures(tmp_path / "p", 2, sizes=((520, 800),))

    written = EXPORTERS["ai-toolkit"].write(z_image_config(tmp_path / "p"), run=tmp_path / "run", out=None)

    (told,) = [note for note in written.notes if note.startswith("Training sizes")]
    assert "416x624" in told

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from advisor.errors import ConfigErrors
from templates.exporters import EXPORTERS
from templates.exporting.exporter import Export
from tests.support.flow_exports import FOLDER, NUM_BLOCKS, QWEN, VAE, anima_config
from tests.support.pictures import make_pictures
from tests.support.tiny_anima import write_tiny_anima


def export(place: Path, trainer: str, **groups: Any) -> Export:
    if not (place / "p").exists():
        make_pictures(place / "p", 2)
    return EXPORTERS[trainer].write(anima_config(place / "p", **groups), run=place / "run", out=None)


def script_keys(place: Path, **groups: Any) -> dict[str, Any]:
    export(place, "sd-scripts", **groups)
    tables = tomllib.loads((place / "run" / "exports" / "sd-scripts" / "config.toml").read_text("utf-8"))
    return {key: value for table in tables.values() for key, value in table.items()}


def gui_keys(place: Path, **groups: Any) -> dict[str, Any]:
    (file, *_) = export(place, "kohya-gui", **groups).paths
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return found


def refused(place: Path, trainer: str, **groups: Any) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        export(place, trainer, **groups)
    return [error.path for error in caught.value.errors]


def test_the_three_files_and_how_timesteps_are_drawn_arrive_in_sd_scripts(tmp_path: Path) -> None:
    found = script_keys(tmp_path, loss={"timestep_scale": 1.5, "timestep_shift": 3.0})

    assert (found["qwen3"], found["vae"]) == (QWEN, VAE)
    assert (found["timestep_sampling"], found["sigmoid_scale"], found["discrete_flow_shift"]) == ("shift", 1.5, 3.0)
    assert (found["network_module"], found["network_args"]) == ("networks.lora_anima", [])
    assert found["network_train_unet_only"] is True
    assert found["cache_text_encoder_outputs"] is True
    assert {"clip_skip", "v_parameterization", "no_half_vae", "min_timestep", "max_token_length"}.isdisjoint(found)
    assert "anima_train_network.py" in (tmp_path / "run/exports/sd-scripts/train.sh").read_text("utf-8")


def test_what_only_other_families_have_stays_away_from_the_gui(tmp_path: Path) -> None:
    found = gui_keys(tmp_path, loss={"timestep_shift": 3.0}, dataset={"max_tokens": 150, "weighted_captions": True})

    assert (found["anima_checkbox"], found["LoRA_type"]) == (True, "Anima")
    assert (found["anima_qwen3"], found["anima_vae"], found["vae"]) == (QWEN, VAE, "")
    assert (found["anima_timestep_sampling"], found["anima_discrete_flow_shift"]) == ("shift", 3)
    assert found["anima_cache_text_encoder_outputs"] is True
    assert (found["sdxl"], found["max_token_length"], found["weighted_captions"]) == (False, 75, False)
    assert found["text_encoder_lr"] == 0


@pytest.mark.parametrize(("kind", "theirs"), [("lora", "Anima"), ("loha", "Kohya LoHa"), ("lokr", "Kohya LoKr")])
def test_the_guis_own_kinds_are_taken(tmp_path: Path, kind: str, theirs: str) -> None:
    found = gui_keys(tmp_path, network={"kind": kind})

    assert (found["LoRA_type"], found["conv_dim"]) == (theirs, 0)


def test_the_text_adapter_goes_by_the_command_line_of_the_gui(tmp_path: Path) -> None:
    network = {"kind": "lokr", "factor": 4, "rank_dropout": 0.1, "text_adapter": True}

    found = gui_keys(tmp_path, network=network)

    assert found["additional_parameters"] == "--network_args factor=4 train_llm_adapter=True rank_dropout=0.1"


def test_ranks_and_rates_by_block_are_patterns_for_sd_scripts(tmp_path: Path) -> None:
    ranks = tuple(range(1, NUM_BLOCKS + 1))
    factors = (0.5,) * NUM_BLOCKS

    found = script_keys(tmp_path, network={"block_ranks": ranks}, optimizer={"block_learning_rates": factors})[
        "network_args"
    ]

    assert found[0].startswith("network_reg_dims=blocks[.]0[.].*=1,blocks[.]1[.].*=2,")
    assert found[1].startswith("network_reg_lrs=blocks[.]0[.].*=5e-05,")
    assert found[0].count("=") == found[1].count("=") == NUM_BLOCKS + 1


def test_other_kinds_get_a_preset_of_lycoris_with_the_layers(tmp_path: Path) -> None:
    found = script_keys(tmp_path, network={"kind": "dora", "text_adapter": True})
    preset = tmp_path / "run" / "exports" / "sd-scripts" / "lycoris.toml"

    assert found["network_module"] == "lycoris.kohya"
    assert f"preset={preset.as_posix()}" in found["network_args"]
    read = tomllib.loads(preset.read_text("utf-8"))
    assert read["unet_target_module"] == ["Attention", "GPT2FeedForward"]
    assert read["unet_target_name"] == ["llm_adapter.blocks.*_proj", "llm_adapter.blocks.*.mlp.*"]
    assert read["text_encoder_target_module"] == []


def test_captions_that_change_are_not_cached(tmp_path: Path) -> None:
    groups = {"dataset": {"shuffle_captions": True}, "memory": {"text_variants": 8}}

    assert "cache_text_encoder_outputs" not in script_keys(tmp_path, **groups)
    assert any(note.startswith("memory.text_variants (8)") for note in export(tmp_path, "sd-scripts", **groups).notes)


@pytest.mark.parametrize("trainer", ["sd-scripts", "kohya-gui"])
def test_what_kohya_does_not_look_at_is_told(tmp_path: Path, trainer: str) -> None:
    groups = {
        "loss": {"min_timestep": 100, "timestep_weighting": "bell"},
        "dataset": {"weighted_captions": True},
        "network": {"start_from": "/m/old.safetensors"},
    }

    notes = export(tmp_path, trainer, **groups).notes

    for path in ("loss.min_timestep", "loss.timestep_weighting", "dataset.weighted_captions", "network.start_from"):
        assert any(note.startswith(path) for note in notes), path


@pytest.mark.parametrize(
    ("trainer", "groups", "path"),
    [
        ("sd-scripts", {"loss": {"timestep_shift": "auto", "timestep_mean": 0.5}}, "loss.timestep_shift"),
        ("sd-scripts", {"loss": {"timestep_shift": "auto", "timestep_sampling": "uniform"}}, "loss.timestep_shift"),
        ("sd-scripts", {"loss": {"kind": "huber"}}, "loss.huber_schedule"),
        ("sd-scripts", {"network": {"kind": "lokr", "block_ranks": (8,) * 28}}, "network.block_ranks"),
        ("kohya-gui", {"network": {"kind": "dora"}}, "network.kind"),
        ("kohya-gui", {"network": {"block_ranks": (8,) * 28}}, "network.block_ranks"),
        ("kohya-gui", {"model": {"path": FOLDER}}, "model.path"),
        ("sd-scripts", {"model": {"path": FOLDER}}, "model.path"),
        ("sd-scripts", {"model": {"text_encoder_path": None}}, "model.text_encoder_path"),
        ("sd-scripts", {"model": {"vae_path": FOLDER}}, "model.vae_path"),
        ("sd-scripts", {"dataset": {"bucket_step_px": 8}}, "dataset.bucket_step_px"),
    ],
)
def test_what_kohya_cannot_do_is_refused_by_name(
    tmp_path: Path, trainer: str, groups: dict[str, Any], path: str
) -> None:
    assert path in refused(tmp_path, trainer, **groups)
    assert not (tmp_path / "run").exists()


def test_steps_of_16_px_are_enough(tmp_path: Path) -> None:
    assert gui_keys(tmp_path, dataset={"bucket_step_px": 16})["bucket_reso_steps"] == 16


def test_a_base_model_with_other_measures_is_refused(tmp_path: Path) -> None:
    files = write_tiny_anima(tmp_path / "models")

    assert refused(tmp_path, "sd-scripts", model={"path": str(files.denoiser)}) == ["model.path"]


def test_parts_that_are_found_beside_the_base_model_are_written(tmp_path: Path) -> None:
    files = write_tiny_anima(tmp_path / "models")
    model = {"path": str(files.denoiser), "text_encoder_path": None, "vae_path": None}

    assert refused(tmp_path, "sd-scripts", model=model) == ["model.path"]  # and neither of the other two

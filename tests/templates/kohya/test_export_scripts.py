from __future__ import annotations

import shlex
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from advisor.errors import ConfigErrors, RunError
from advisor.settings.config import TrainingConfig
from templates.exporters import EXPORTERS
from templates.exporting.derived import Length
from templates.exporting.exporter import Export
from templates.kohya.export_script_tables import dataset_settings, script_settings
from templates.kohya.export_scripts import launch_powershell, launch_sh
from templates.render import render
from tests.support.export_strategies import configs
from tests.support.pictures import make_pictures
from tests.support.samples import LAYOUT, sample_config
from tests.templates.kohya.test_export_gui_values import writable


def export(place: Path, images: Path, /, *, out: Path | None = None, **groups: Any) -> Export:
    return EXPORTERS["sd-scripts"].write(sample_config(images, **groups), run=place, out=out)


def keys(**groups: Any) -> dict[str, Any]:
    tables = script_settings(sample_config(**groups), LAYOUT, dataset="/d.toml", prompts="")
    return {key: value for table in tables.values() for key, value in table.items()}


def test_both_files_and_the_launch_lines_are_written(tmp_path: Path) -> None:
    make_pictures(tmp_path / "p" / "10_fox", 2)
    make_pictures(tmp_path / "p" / "rest", 1)
    folders = [{"path": "10_fox", "repeats": 10}]

    result = export(tmp_path / "run", tmp_path / "p", dataset={"folders": folders, "repeats": 3})

    home = tmp_path / "run" / "exports" / "sd-scripts"
    assert [path.name for path in result.paths] == ["config.toml", "dataset.toml", "train.sh", "train.ps1"]
    config = tomllib.loads((home / "config.toml").read_text("utf-8"))
    assert config["network"]["network_dim"] == 32
    assert config["dataset"]["dataset_config"] == (home / "dataset.toml").as_posix()
    (dataset,) = tomllib.loads((home / "dataset.toml").read_text("utf-8"))["datasets"]
    links = tmp_path / "run" / "exports" / "kohya" / "img"
    assert [(s["image_dir"], s["num_repeats"], s["class_tokens"]) for s in dataset["subsets"]] == [
        ((links / "10_fox").as_posix(), 10, "fox"),
        ((links / "3_foxgirl").as_posix(), 3, "foxgirl"),
    ]
    assert (links / "10_fox" / "picture-001.png").is_file()
    assert (home / "train.ps1").read_bytes().startswith(b"\xef\xbb\xbf")


def test_it_trains_whole_epochs_unless_steps_end_it_sooner() -> None:
    assert keys()["max_train_epochs"] == 10
    assert "max_train_steps" not in keys()
    ends = replace(LAYOUT, length=Length(150, 100, ends_early=True))
    schedule = script_settings(sample_config(schedule={"max_steps": 100}), ends, dataset="/d.toml", prompts="")[
        "schedule"
    ]

    assert schedule["max_train_steps"] == 100
    assert "max_train_epochs" not in schedule


def test_a_rate_of_zero_trains_the_other_part_only() -> None:
    found = keys(optimizer={"text_encoder_learning_rate": 0})

    assert found["network_train_unet_only"] is True
    assert "text_encoder_lr" not in found
    assert keys()["text_encoder_lr"] == [5e-05, 5e-05]


def test_warm_up_is_a_share_or_steps() -> None:
    assert keys()["lr_warmup_steps"] == 0.05
    assert keys(schedule={"warmup_steps": 9})["lr_warmup_steps"] == 9


def test_adapters_of_other_kinds_come_from_lycoris() -> None:
    found = keys(network={"kind": "lokr", "factor": 8, "conv_rank": 4, "rank_dropout": 0.1})

    assert found["network_module"] == "lycoris.kohya"
    assert found["network_args"] == [
        "algo=lokr", "preset=full", "factor=8", "conv_dim=4", "conv_alpha=2", "rank_dropout=0.1"
    ]  # fmt: skip


@pytest.mark.parametrize(("axis", "by_output"), [("input", "False"), ("output", "True")])
def test_the_axis_of_a_dora_is_said(axis: str, by_output: str) -> None:
    found = keys(network={"kind": "dora", "dora_axis": axis})

    assert found["network_args"][2:4] == ["dora_wd=True", f"wd_on_output={by_output}"]


def test_what_the_gui_cannot_hand_on_arrives_here() -> None:
    config = sample_config(dataset={"keep_tokens_separator": "|||", "tag_dropout": 0.2}, validation={"share": 0.1})

    found = dataset_settings(config)

    assert (found["keep_tokens_separator"], found["caption_tag_dropout_rate"]) == ("|||", 0.2)
    assert found["validation_split"] == 0.1


@settings(max_examples=50)
@given(configs.map(writable))
def test_any_configuration_becomes_readable_toml(config: TrainingConfig) -> None:
    tables = script_settings(config, LAYOUT, dataset="/d.toml", prompts="/p.txt")

    read = tomllib.loads(render("kohya/files/sd_scripts_config.toml.j2", head="a", tables=tables))

    assert read == {name: table for name, table in tables.items() if table}


def test_the_script_goes_by_the_family_and_the_card_by_its_identifier() -> None:
    config = sample_config(model={"family": "sdxl"}, machine={"gpu_uuid": "GPU-1", "cpu_threads": 6})

    words = shlex.split(launch_sh(config, "/a b/it's.toml"))

    assert words[:3] == ["CUDA_VISIBLE_DEVICES=GPU-1", "accelerate", "launch"]
    assert words[-3:] == ["sdxl_train_network.py", "--config_file", "/a b/it's.toml"]
    assert words[words.index("--num_cpu_threads_per_process") + 1] == "6"
    assert words[words.index("--mixed_precision") + 1] == "bf16"


def test_powershell_gets_its_own_quotes() -> None:
    text = launch_powershell(sample_config(machine={"gpu_uuid": "GPU-1"}), "C:/it's $x.toml")

    assert text.startswith("$env:CUDA_VISIBLE_DEVICES = GPU-1\n".replace("GPU-1", "'GPU-1'"))
    assert text.endswith("train_network.py --config_file 'C:/it''s $x.toml'\n")


def test_prompts_are_a_file_of_their_own(tmp_path: Path) -> None:
    make_pictures(tmp_path / "p", 1)

    export(tmp_path / "run", tmp_path / "p", out=tmp_path / "o", sampling={"prompts": ["füchsin"], "steps": 9})

    assert (tmp_path / "o" / "prompts.txt").read_text("utf-8") == "füchsin --w 512 --h 512 --d 42 --l 7 --s 9\n"
    read = tomllib.loads((tmp_path / "o" / "config.toml").read_text("utf-8"))
    assert read["samples"]["sample_prompts"] == (tmp_path / "o" / "prompts.txt").as_posix()


def test_regularization_and_masks_are_marked(tmp_path: Path) -> None:
    make_pictures(tmp_path / "p", 1)
    make_pictures(tmp_path / "r", 1)

    export(tmp_path / "run", tmp_path / "p", dataset={"regularization_images": str(tmp_path / "r"), "masks": True})

    text = (tmp_path / "run" / "exports" / "sd-scripts" / "dataset.toml").read_text("utf-8")
    images, regularization = tomllib.loads(text)["datasets"][0]["subsets"]
    assert images["alpha_mask"] is True
    assert regularization["is_reg"] is True
    assert regularization["class_tokens"] == "character"


def test_what_sd_scripts_would_refuse_is_reported_before_anything_is_written(tmp_path: Path) -> None:
    make_pictures(tmp_path / "p", 1)

    with pytest.raises(ConfigErrors, match=r"schedule\.name"):
        export(tmp_path / "run", tmp_path / "p", schedule={"name": "piecewise_constant"})
    assert not (tmp_path / "run").exists()


def test_a_file_in_the_folders_place_is_reported(tmp_path: Path) -> None:
    (tmp_path / "o").write_text("")

    with pytest.raises(RunError, match="name a folder"):
        export(tmp_path / "run", tmp_path, out=tmp_path / "o")


def test_only_the_folders_that_are_named_are_subsets(tmp_path: Path) -> None:
    make_pictures(tmp_path / "p" / "girl", 3, captions=False)
    make_pictures(tmp_path / "p" / "class", 15)
    dataset = {"only_folders": True, "folders": [{"path": "girl", "repeats": 4, "caption": "fox girl"}]}

    export(tmp_path / "run", tmp_path / "p", dataset=dataset)

    home = tmp_path / "run" / "exports"
    (found,) = tomllib.loads((home / "sd-scripts" / "dataset.toml").read_text("utf-8"))["datasets"]
    assert [(s["num_repeats"], s["class_tokens"]) for s in found["subsets"]] == [(4, "fox girl")]
    assert len(list((home / "kohya" / "img" / "4_fox girl").glob("*.png"))) == 3

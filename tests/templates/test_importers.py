from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
from safetensors.numpy import save_file

from advisor.errors import LoraError, RunError
from templates.importers import import_config

GUI = '{"LoRA_type": "Standard", "network_dim": 8, "epoch": 3}'


def written(folder: Path, name: str, content: str | bytes) -> Path:
    file = folder / name
    file.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return file


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_every_encoding_of_a_file_is_read(tmp_path: Path, encoding: str) -> None:
    text = GUI.replace("3", '3, "output_name": "füchsin"')

    found = import_config(written(tmp_path, "a.json", text.encode(encoding)))

    assert found.settings["saving.name"] == "füchsin"


def test_an_old_windows_file_is_read_and_reported(tmp_path: Path) -> None:
    found = import_config(written(tmp_path, "a.json", GUI.replace("3", '3, "output_name": "füchsin"').encode("cp1252")))

    assert found.settings["saving.name"] == "füchsin"
    assert "Windows-1252" in found.notes[0]


def test_comments_and_commas_too_many_are_passed_over_and_reported(tmp_path: Path) -> None:
    lines = (
        "{",
        "// the kind",
        '"LoRA_type": "Standard", /* rank */ "network_dim": 8,',
        '"vae": "http://x/*y*/",',
        "}",
    )
    text = "\n".join(lines)

    found = import_config(written(tmp_path, "a.json", text))

    assert found.settings["network.rank"] == 8
    assert found.settings["model.vae_path"] == "http://x/*y*/"
    assert found.notes


def test_a_doubled_key_is_reported_and_the_last_counts(tmp_path: Path) -> None:
    found = import_config(written(tmp_path, "a.json", '{"LoRA_type": "Standard", "network_dim": 8, "network_dim": 16}'))

    assert found.settings["network.rank"] == 16
    assert any(line.key == "network_dim" and "twice" in line.note for line in found.of("contradictory"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", "{"), ("a.json", "[" * 100_000), ("a.toml", "a = = 1"), ("a.toml", "[["), ("a.json", "[]"),
        ("a.json", ""), ("a.yaml", "a: [b: {c"), ("a.yaml", "a: &x [1]\nb: *x"), ("a.txt", "hello"),
        ("a.json", '{"a": 1}'), ("a.ckpt", "x"), ("a.safetensors", "x"), ("a.json", "9" * 10_000),
        ("a.yaml", "2024-99-99"),
    ],
)  # fmt: skip
def test_what_is_no_configuration_is_reported_in_a_sentence(tmp_path: Path, name: str, content: str) -> None:
    file = written(tmp_path, name, content)

    with pytest.raises(LoraError, match=re.escape(str(file))):
        import_config(file)


def test_a_folder_is_opened_by_its_main_file(tmp_path: Path) -> None:
    written(tmp_path, "kohya-gui.json", GUI)

    assert import_config(tmp_path).format == "kohya-gui"
    with pytest.raises(RunError, match="holds no trainer's file"):
        import_config(tmp_path.parent / tmp_path.name / "..")


def test_our_own_runs_are_recognised(tmp_path: Path) -> None:
    written(tmp_path, "loracle.toml", "[network]\n[schedule]\n[saving]\n")

    with pytest.raises(RunError, match="loracle train"):
        import_config(tmp_path)
    with pytest.raises(RunError, match="loracle train"):
        import_config(tmp_path / "loracle.toml")


def test_sd_scripts_files_find_each_other(tmp_path: Path) -> None:
    written(tmp_path, "config.toml", 'pretrained_model_name_or_path = "/m"\nnetwork_module = "networks.lora"\n'
            'dataset_config = "/elsewhere/dataset.toml"\n')  # fmt: skip
    written(tmp_path, "dataset.toml", '[[datasets]]\nresolution = 640\n[[datasets.subsets]]\nimage_dir = "/d/fox"\n')
    written(tmp_path, "train.sh", "#!/bin/sh\naccelerate launch --num_cpu_threads_per_process 3 train_network.py\n")

    for file in (tmp_path, tmp_path / "config.toml", tmp_path / "train.sh"):
        found = import_config(file)
        assert found.format == "sd-scripts"
        assert found.settings["dataset.resolution_px"] == 640
        assert found.settings["machine.cpu_threads"] == 3
    assert import_config(tmp_path / "dataset.toml").settings["dataset.images"] == "/d/fox"


def test_a_lora_tells_of_itself(tmp_path: Path) -> None:
    name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
    tensors = {f"{name}.lora_down.weight": numpy.zeros((4, 320), numpy.float16),
               f"{name}.lora_up.weight": numpy.zeros((320, 4), numpy.float16),
               f"{name}.alpha": numpy.array(2.0, numpy.float16)}  # fmt: skip
    save_file(tensors, tmp_path / "a.safetensors", {"ss_seed": "9", "ss_dataset_dirs": json.dumps({})})

    found = import_config(tmp_path / "a.safetensors")

    assert found.format == "lora"
    assert found.settings["run.seed"] == 9
    assert found.settings["network.rank"] == 4


def test_importing_a_configuration_costs_no_jinja2() -> None:
    code = "import sys, templates.importers; print(sorted({'jinja2', 'yaml', 'torch'} & sys.modules.keys()))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"

from __future__ import annotations

from pathlib import Path

from advisor.run_folder.layout import RunFolder
from advisor.settings.config import blank_config, with_values


def test_relative_paths_begin_in_the_run_and_absolute_ones_stay(tmp_path: Path) -> None:
    config = with_values(
        blank_config(model=str(tmp_path / "base.safetensors"), family="sd1", images="../pictures"),
        {
            "model.vae_path": "vae.safetensors",
            "model.text_encoder_path": "../qwen.safetensors",
            "network.start_from": "model/fox.safetensors",
            "dataset.regularization_images": "../class",
        },
    )

    found = RunFolder(tmp_path / "run").located(config)

    assert found.model.path == str(tmp_path / "base.safetensors")
    assert found.model.text_encoder_path == str(tmp_path / "run/../qwen.safetensors")
    assert found.model.vae_path == str(tmp_path / "run/vae.safetensors")
    assert found.network.start_from == str(tmp_path / "run/model/fox.safetensors")
    assert found.dataset.images == str(tmp_path / "run/../pictures")
    assert found.dataset.regularization_images == str(tmp_path / "run/../class")


def test_what_is_not_given_stays_so(tmp_path: Path) -> None:
    config = blank_config(model="/base.safetensors", family="sd1", images="/pictures")

    assert RunFolder(tmp_path).located(config) == config

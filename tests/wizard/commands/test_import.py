from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from advisor.errors import RunError
from advisor.run_folder.config_file import read_config
from tests.support.pictures import make_pictures
from wizard.commands.import_ import import_

GUI = {"LoRA_type": "Standard", "network_dim": 8, "network_alpha": 128, "max_train_steps": 0, "epoch": 7, "mystery": 1,
       "output_name": "fox", "unet_lr": "1e-4"}  # fmt: skip


def gui_file(folder: Path, **keys: Any) -> Path:
    file = folder / "old one.json"
    file.write_text(json.dumps({**GUI, **keys}), "utf-8")
    return file


def test_a_run_is_written_and_every_key_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import_(str(gui_file(tmp_path)), out=tmp_path / "run")

    config = read_config(tmp_path / "run")
    assert config.network.rank == 8
    assert config.schedule.epochs == 7
    assert config.saving.name == "fox"
    out, err = capsys.readouterr()
    assert "mystery" in out
    assert "alpha may not exceed the rank" in " ".join(out.split())
    assert "loracle train" in err
    assert "imported" in (tmp_path / "run" / "loracle.toml").read_text("utf-8")


def test_json_is_one_document_with_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import_(str(gui_file(tmp_path)), out=tmp_path / "run", as_json=True)

    document = json.loads(capsys.readouterr().out)
    assert {line["verdict"] for line in document["import"]["lines"] if line["key"] == "mystery"} == {"unknown"}
    assert document["config"]["network"]["rank"] == 8
    assert {item["origin"] for item in document["decisions"]} == {"import", "default"}
    assert json.loads((tmp_path / "run" / "plan.json").read_text("utf-8")) == document


def test_pictures_beside_the_file_are_found(tmp_path: Path) -> None:
    make_pictures(tmp_path / "img" / "20_foxgirl", 2)

    import_(str(gui_file(tmp_path, train_data_dir="img")), out=tmp_path / "run")

    config = read_config(tmp_path / "run")
    assert config.dataset.images == str(tmp_path / "img")
    assert config.dataset.repeats == 20
    assert config.run.trigger == "foxgirl"


def test_a_dreambooth_file_needs_a_yes(tmp_path: Path) -> None:
    file = tmp_path / "db.json"
    file.write_text(json.dumps({"train_data_dir": "/i", "no_token_padding": False, "learning_rate": 1e-5}), "utf-8")

    with pytest.raises(RunError, match="Dreambooth"):
        import_(str(file), out=tmp_path / "run", as_json=True)
    assert not (tmp_path / "run").exists()
    import_(str(file), out=tmp_path / "run", yes=True)
    assert read_config(tmp_path / "run").dataset.images == "/i"


def test_a_run_that_has_trained_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "run" / "model").mkdir(parents=True)
    (tmp_path / "run" / "model" / "a.safetensors").write_bytes(b"x")

    with pytest.raises(RunError, match="has trained"):
        import_(str(gui_file(tmp_path)), out=tmp_path / "run")


def test_names_given_beside_it_count(tmp_path: Path) -> None:
    make_pictures(tmp_path / "own", 1)

    import_(str(gui_file(tmp_path)), out=tmp_path / "run", images=str(tmp_path / "own"), name="mira")

    config = read_config(tmp_path / "run")
    assert config.dataset.images == str(tmp_path / "own")
    assert config.saving.name == "mira"

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


def sd_scripts_file(folder: Path, prompts: Path) -> Path:
    file = folder / "theirs" / "config.toml"
    file.parent.mkdir()
    file.write_text(
        f'pretrained_model_name_or_path = "/m.safetensors"\ntrain_data_dir = "/i"\nnetwork_module = "networks.lora"\n'
        f'output_name = "fox"\nsample_prompts = {json.dumps(str(prompts))}\nsample_every_n_epochs = 1\n',
        "utf-8",
    )
    return file


@pytest.mark.parametrize("is_link", [False, True])
def test_a_text_outside_the_configurations_folder_is_read_only_where_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], is_link: bool
) -> None:
    secret = tmp_path / "passwd"
    secret.write_text("root:x:0:0", "utf-8")
    file = sd_scripts_file(tmp_path, Path("p.txt") if is_link else secret)
    if is_link:
        (file.parent / "p.txt").symlink_to(secret)

    import_(str(file), out=tmp_path / "run", as_json=True)

    document = json.loads(capsys.readouterr().out)
    assert "root:x" not in (tmp_path / "run/loracle.toml").read_text("utf-8")
    assert any("--outside-files" in note for note in document["import"]["notes"])

    import_(str(file), out=tmp_path / "run2", outside_files=True, as_json=True)
    assert read_config(tmp_path / "run2").sampling.prompts == ("root:x:0:0",)


def test_prompts_beside_the_configuration_are_read_unasked(tmp_path: Path) -> None:
    file = sd_scripts_file(tmp_path, Path("p.txt"))
    (file.parent / "p.txt").write_text("a fox\n", "utf-8")

    import_(str(file), out=tmp_path / "run")

    assert read_config(tmp_path / "run").sampling.prompts == ("a fox",)


def test_a_project_of_weights_and_biases_needs_a_yes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = gui_file(tmp_path, log_with="wandb", log_tracker_name="theirs")

    import_(str(file), out=tmp_path / "run", as_json=True)

    document = json.loads(capsys.readouterr().out)
    assert read_config(tmp_path / "run").run.wandb_project == ""
    assert any("--wandb" in note for note in document["import"]["notes"])
    line = next(line for line in document["import"]["lines"] if line["key"] == "log_tracker_name")
    assert (line["verdict"], line["path"]) == ("dropped", None)

    import_(str(file), out=tmp_path / "run2", wandb=True, as_json=True)
    assert read_config(tmp_path / "run2").run.wandb_project == "theirs"


@pytest.mark.parametrize("name", ["../../x", "nul", "-rf"])
def test_a_name_that_is_no_files_is_not_taken_over(tmp_path: Path, name: str) -> None:
    import_(str(gui_file(tmp_path, output_name=name)), out=tmp_path / "run")

    assert read_config(tmp_path / "run").saving.name == "old one"

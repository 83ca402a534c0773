from __future__ import annotations

import json
from pathlib import Path, PureWindowsPath
from typing import Any

import pytest

from advisor.errors import ConfigErrors, LoraError, RunError
from advisor.run_folder.config_file import read_config
from templates.exporters import EXPORTERS
from templates.importing.local_files import leads_elsewhere
from tests.support import ldm_layout
from tests.support.headers import write_model
from tests.support.pictures import make_pictures
from tests.support.special_files import on_posix
from trainer.training.prepare import check_supported
from wizard.commands.import_ import import_
from wizard.commands.plan import plan
from wizard.interview.machine_options import MachineOptions
from wizard.interview.request import PlanRequest

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


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A full-size SD1.5 file that is a hole."""
    return write_model(tmp_path_factory.mktemp("base") / "base.safetensors", ldm_layout.sd1())


def test_only_the_folders_that_the_file_names_are_looked_at(
    tmp_path: Path, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_pictures(tmp_path / "d" / "girl", 3)
    make_pictures(tmp_path / "d" / "class", 15)
    (tmp_path / "dataset.toml").write_text(
        '[[datasets]]\n[[datasets.subsets]]\nimage_dir = "d/girl"\nnum_repeats = 4\n'
        '[[datasets.subsets]]\nimage_dir = "d/class"\nis_reg = true\n'
    )
    (tmp_path / "config.toml").write_text(f'pretrained_model_name_or_path = "{base}"\ndataset_config = "dataset.toml"\n'
                                          'network_module = "networks.lora"\nmax_train_epochs = 2\n')  # fmt: skip

    import_(str(tmp_path), out=tmp_path / "run", as_json=True)

    found = json.loads(capsys.readouterr().out)
    assert found["dataset"]["num_images"] == 3
    assert found["estimate"]["steps"] == 2 * 2 * 3 * 4
    config = read_config(tmp_path / "run").dataset
    assert (config.images, config.regularization_images) == (str(tmp_path / "d/girl"), str(tmp_path / "d/class"))


@on_posix  # where // is /, so that such a path can be there without another computer
@pytest.mark.parametrize("key", ["model", "folder", "subset"])
def test_what_a_file_names_on_another_computer_is_not_looked_at(
    tmp_path: Path, base: Path, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    images = tmp_path / "d"
    make_pictures(images, 3)
    places = {"model": base, "folder": images, "subset": tmp_path / "e"}
    make_pictures(places["subset"], 2)
    named = {name: f"/{place}" if name == key else str(place) for name, place in places.items()}
    (tmp_path / "config.toml").write_text(
        f'pretrained_model_name_or_path = "{named["model"]}"\ndataset_config = "dataset.toml"\n'
        'network_module = "networks.lora"\nmax_train_epochs = 2\n'
    )
    (tmp_path / "dataset.toml").write_text(
        "[[datasets]]\n"
        + "".join(f'[[datasets.subsets]]\nimage_dir = "{named[name]}"\n' for name in ("folder", "subset"))
    )

    import_(str(tmp_path), out=tmp_path / "run", as_json=True)

    assert json.loads(capsys.readouterr().out)["dataset"] is None


@pytest.mark.parametrize("path", ["//evil/share/x", "\\\\evil\\share", "/\\evil/share", "\\/evil\\share"])
def test_windows_asks_another_computer_for_paths_that_begin_with_two_slashes_of_any_kind(path: str) -> None:
    assert PureWindowsPath("C:/x", path).drive.startswith("\\\\evil")
    assert leads_elsewhere(path)
    assert not leads_elsewhere(path[1:])


def test_other_pictures_keep_the_files_folders_where_they_have_them_too(tmp_path: Path) -> None:
    make_pictures(tmp_path / "img" / "20_foxgirl", 2)
    make_pictures(tmp_path / "moved" / "20_foxgirl", 2)
    make_pictures(tmp_path / "others", 2)
    file = str(gui_file(tmp_path, train_data_dir="img"))

    import_(file, out=tmp_path / "run", images=str(tmp_path / "moved"))
    import_(file, out=tmp_path / "other run", images=str(tmp_path / "others"))

    assert [one.path for one in read_config(tmp_path / "run").dataset.folders] == ["20_foxgirl"]
    assert read_config(tmp_path / "other run").dataset.named_folders is None


def test_a_preset_without_model_and_pictures_stays_so_and_says_what_to_give(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import_(str(gui_file(tmp_path, pretrained_model_name_or_path="", train_data_dir="")), out=tmp_path / "run")

    config = read_config(tmp_path / "run")
    assert (config.model.path, config.dataset.images) == ("", "")
    assert "give --model" in capsys.readouterr().out
    with pytest.raises(ConfigErrors) as told:
        check_supported(config)
    assert [error.path for error in told.value.errors] == ["model.path", "dataset.images"]
    assert "import the file again with --images DIR" in str(told.value)
    with pytest.raises(LoraError, match="give --images and --model"):
        plan(PlanRequest(), run=tmp_path / "run")
    notes = EXPORTERS["sd-scripts"].write(config, run=tmp_path / "run", out=None).notes
    assert "The pictures are not on this machine (no folder is named): fill in dataset.toml." in notes


def test_an_imported_run_is_compared_with_the_rules(
    tmp_path: Path, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_pictures(tmp_path / "img" / "20_foxgirl", 12)
    import_(
        str(gui_file(tmp_path, train_data_dir="img", pretrained_model_name_or_path=str(base))), out=tmp_path / "run",
        as_json=True,
    )  # fmt: skip
    capsys.readouterr()

    request = PlanRequest(settings=("network.alpha=8",), machine=MachineOptions(vram="8GiB"))
    plan(request, run=tmp_path / "run", compare=True, as_json=True)

    found = json.loads(capsys.readouterr().out)
    rows = {row["path"]: row for row in found["differences"]}
    assert found.keys() == {"imported", "rules", "differences"}
    assert rows["network.rank"]["imported"]["value"] == 8
    assert rows["network.rank"]["rules"]["value"] > 8
    assert found["rules"]["config"]["dataset"]["folders"] == found["imported"]["config"]["dataset"]["folders"]

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from advisor.dataset.edits import PictureEdit
from advisor.dataset.scan import scan
from advisor.errors import ConfigErrors, RunError
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.edits_file import append_change
from advisor.run_folder.plan_record import PlanRecord
from advisor.run_folder.write_over import UsersFiles
from templates.exporters import EXPORTERS, export_run
from templates.exporting.exporter import USUAL, Export, ExportOptions
from templates.skypilot.bundle_config import config_text
from tests.support.pictures import make_pictures
from tests.support.rented import Rented
from tests.support.runs import events_of, make_config, same, weights, write_toml
from tests.support.samples import sample_config
from tests.support.tiny import tiny_sd1_checkpoint

HOSTILE = 'ä "q" $(touch ran) `touch ran` 🦊 #:'


def export(place: Path, options: ExportOptions = USUAL, **groups: Any) -> Export:
    """The export of a run for a card, whose pictures and tiny base model are made in `place`."""
    if not (place / "p").exists():
        make_pictures(place / "p", 3)
    model = place / "tiny-sd1.safetensors"
    if not model.exists():
        tiny_sd1_checkpoint(place)
    config = sample_config(place / "p", **{**groups, "model": {"path": str(model), **groups.get("model", {})}})
    return EXPORTERS["skypilot"].write(config, run=place / "run", out=None, options=options)


def task_of(found: Export) -> dict[str, Any]:
    tree: dict[str, Any] = yaml.safe_load(found.paths[0].read_text("utf-8"))
    return tree


def bundled(found: Export) -> dict[str, Any]:
    return tomllib.loads((found.paths[1] / "run" / "loracle.toml").read_text("utf-8"))


def test_the_task_asks_for_cards_that_hold_the_step(tmp_path: Path) -> None:
    task = task_of(export(tmp_path))
    resources = task["resources"]

    assert task["name"] == "loracle-fox"
    assert task["workdir"] == "bundle"
    assert set(resources["accelerators"].values()) == {1}
    assert {"L4", "RTX3090", "H100"} <= resources["accelerators"].keys()
    assert not {"T4", "V100", "RTX6000"} & resources["accelerators"].keys()  # without bfloat16, or too old for torch
    assert resources["memory"].endswith("+")
    assert resources["cpus"] == "4+"
    assert resources["disk_size"] >= 160
    assert resources["autostop"] == {"idle_minutes": 30, "down": False}
    assert task["file_mounts"] == {
        "~/sky_workdir/models/base/tiny-sd1.safetensors": str(tmp_path / "tiny-sd1.safetensors")
    }


def test_larger_pictures_ask_for_larger_cards(tmp_path: Path) -> None:
    small = task_of(export(tmp_path))["resources"]
    large = task_of(export(tmp_path, dataset={"resolution_px": 1536, "max_bucket_px": 2048, "bucket_upscale": True},
                           schedule={"batch_size": 64}))["resources"]  # fmt: skip

    assert large["accelerators"].keys() < small["accelerators"].keys()
    assert "H200" in large["accelerators"]


def test_a_run_for_a_processor_asks_for_none(tmp_path: Path) -> None:
    found = export(tmp_path, memory={"preset": "cpu", "compute_dtype": "float32", "base_dtype": "float32"})
    task = task_of(found)

    assert "accelerators" not in task["resources"]
    assert "--torch-backend cpu" in task["setup"]
    assert any("no card is rented" in note for note in found.notes)


def test_packages_of_the_optimizer_and_of_weights_and_biases_are_installed_too(tmp_path: Path) -> None:
    found = export(tmp_path, optimizer={"name": "prodigy"}, run={"wandb_project": "foxes"})

    assert '"./loracle-0.1.0-py3-none-any.whl[optimizers,wandb]"' in task_of(found)["setup"]
    assert any("--secret WANDB_API_KEY" in note for note in found.notes)


def test_paths_of_the_bundles_configuration_lie_in_the_bundle(tmp_path: Path) -> None:
    found = export(tmp_path, machine={"gpu_uuid": "GPU-a"})
    tree = bundled(found)

    assert tree["model"]["path"] == "../models/base/tiny-sd1.safetensors"
    assert tree["dataset"]["images"] == "../pictures"
    assert tree["dataset"]["folders"] == [{"path": "20_foxgirl", "repeats": 20, "subfolders": False}]
    assert tree["dataset"]["only_folders"] is True
    assert tree["machine"]["gpu_uuid"] == ""


def test_nothing_in_the_bundle_names_a_place_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    found = export(tmp_path)
    texts = [path.read_text("utf-8") for path in found.paths[1].rglob("*") if path.suffix in {".toml", ".txt", ""}
             and path.is_file()]  # fmt: skip

    assert len(texts) >= 6
    assert not any(str(tmp_path) in text or str(Path.home()) in text for text in texts)
    assert "hf_secret" not in "".join([*texts, found.paths[0].read_text("utf-8")])
    assert found.paths[0].read_text("utf-8").count(str(tmp_path)) == 1  # the base model


def test_reasons_stay_but_for_those_that_name_a_place(tmp_path: Path) -> None:
    config = sample_config(tmp_path / "p")
    decisions = [
        {"path": "network.rank", "value": 32, "reason": "30 pictures", "origin": "rule", "source": {"title": "a page"}},
        {"path": "network.alpha", "value": 16.0, "reason": f"as in {tmp_path}/p", "origin": "rule"},
    ]

    text = config_text(config, config, PlanRecord.of({"decisions": decisions}), tmp_path / "run")

    assert "# 30 pictures [rule: a page]\nrank = 32" in text
    assert "# as planned [rule: Loracle's bundles for SkyPilot]\nalpha = 16.0" in text
    assert f"as in {tmp_path}" not in text


@pytest.mark.skipif(sys.platform == "win32", reason="SkyPilot has no Windows")
def test_hostile_names_arrive_as_they_are_and_run_nothing(tmp_path: Path) -> None:
    place = tmp_path / HOSTILE
    make_pictures(place / "p", 2)
    (place / "p" / "picture-001.png").rename(place / "p" / f"{HOSTILE}.png")
    (place / "p" / "picture-001.txt").rename(place / "p" / f"{HOSTILE}.txt")
    tiny_sd1_checkpoint(place)
    (place / "tiny-sd1.safetensors").rename(place / f"{HOSTILE}.safetensors")
    model, name = {"path": str(place / f"{HOSTILE}.safetensors")}, "a' $(x) 🦊"
    found = export(place, model=model, run={"trigger": HOSTILE}, saving={"name": name})
    task, tree = task_of(found), bundled(found)

    ((there, here),) = task["file_mounts"].items()
    assert here == str(place / f"{HOSTILE}.safetensors")
    assert "$" not in there
    assert " " not in there
    assert tree["run"]["trigger"] == HOSTILE
    assert tree["saving"]["name"] == name
    assert tree["model"]["path"] == f"../{there.removeprefix('~/sky_workdir/')}"
    for script in (task["setup"], task["run"]):
        assert subprocess.run(["bash", "-n", "-c", script], check=False).returncode == 0
        assert "touch" not in script
    assert not list(tmp_path.rglob("ran"))


@pytest.mark.parametrize("name", ["o'brien", "back\\slash", "a\u200bb"])
@pytest.mark.skipif(sys.platform == "win32", reason="SkyPilot has no Windows")
def test_a_path_that_skypilot_would_hand_on_otherwise_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        export(tmp_path / name)

    assert [error.path for error in caught.value.errors] == ["--out", "model.path"]
    assert not (tmp_path / name / "run").exists()


def test_what_is_not_on_this_machine_is_refused(tmp_path: Path) -> None:
    config = sample_config(tmp_path / "gone", network={"start_from": "lost.safetensors"})

    with pytest.raises(ConfigErrors) as caught:
        EXPORTERS["skypilot"].write(config, run=tmp_path / "run", out=None)

    assert {error.path for error in caught.value.errors} == {"model.path", "network.start_from", "dataset.images"}
    assert not (tmp_path / "run").exists()


def test_the_pictures_of_the_class_and_masks_come_along(tmp_path: Path) -> None:
    make_pictures(tmp_path / "class" / "2_girl", 2, captions=False)
    make_pictures(tmp_path / "p", 2)
    shutil.copy(tmp_path / "p" / "picture-001.png", tmp_path / "p" / "picture-001-masklabel.png")
    found = export(
        tmp_path, dataset={"regularization_images": str(tmp_path / "class"), "masks": True, "mask_source": "files"}
    )
    tree, bundle = bundled(found), found.paths[1]

    assert tree["dataset"]["regularization_images"] == "../regularization"
    assert tree["dataset"]["regularization_folders"] == [{"path": "2_girl", "repeats": 2, "subfolders": False}]
    assert (bundle / "regularization" / "2_girl" / "picture-001.txt").read_text("utf-8") == "girl\n"
    assert (bundle / "pictures" / "20_foxgirl" / "picture-001-masklabel.png").exists()


def test_edits_are_made_in_the_bundle(tmp_path: Path) -> None:
    pictures = make_pictures(tmp_path / "p", 3)
    edits = (
        PictureEdit(pictures[0].as_posix(), caption="foxgirl, first line\nsecond"),
        PictureEdit(pictures[1].as_posix(), excluded="private"),
        PictureEdit(pictures[2].as_posix(), crop=(20, 10, 420, 310)),
    )
    append_change(RunFolder(tmp_path / "run"), "edit", edits, files=scan(tmp_path / "p"))
    folder = export(tmp_path).paths[1] / "pictures" / "20_foxgirl"

    assert sorted(path.stem for path in folder.glob("*.png")) == ["picture-001", "picture-003"]
    assert (folder / "picture-001.txt").read_text("utf-8") == "foxgirl, first line\nsecond\n"
    with Image.open(folder / "picture-003.png") as cropped, Image.open(pictures[2]) as whole:
        assert np.array_equal(np.asarray(cropped), np.asarray(whole.crop((20, 10, 420, 310))))


def test_a_changed_task_is_the_users(tmp_path: Path) -> None:
    task = export(tmp_path).paths[0]
    export(tmp_path)  # as it was written: replaced
    task.write_text(task.read_text("utf-8") + "num_nodes: 1\n", "utf-8")

    with pytest.raises(UsersFiles):
        export(tmp_path)
    export(tmp_path, ExportOptions(overwrite=True))

    assert "num_nodes: 1" in (task.parent / "task.yaml.bak").read_text("utf-8")


def test_a_training_that_came_back_is_kept_with_its_plan(tmp_path: Path) -> None:
    bundle = export(tmp_path).paths[1]
    (bundle / "run" / "model").mkdir()
    (bundle / "run" / "model" / "fox.safetensors").write_bytes(b"x")
    export(tmp_path)

    with pytest.raises(RunError, match="came back"):
        export(tmp_path, network={"rank": 8})
    assert bundled(export(tmp_path))["network"]["rank"] == 32


def test_proposed_prompts_are_drawn_there_as_here(tmp_path: Path) -> None:
    config = make_config(tmp_path, sampling__prompts=("tok",))
    write_toml(tmp_path / "run" / "loracle.toml", config)
    found = export_run("skypilot", config, run=RunFolder(tmp_path / "run"))

    assert bundled(found)["sampling"]["prompts"] == ["tok"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="a task's commands are a POSIX shell's")
def test_the_bundle_trains_elsewhere_what_the_run_trains_here(tmp_path: Path) -> None:
    """Weights are equal to the last bit, with an edited caption, an exclusion and a picture without a caption."""
    config = make_config(tmp_path / "it is $(here)", pictures=5, schedule__epochs=1, run__trigger="tok $(x)")
    pictures, run = Path(config.dataset.images), RunFolder(tmp_path / "run")
    (pictures / "picture-004.txt").unlink()
    write_toml(run.config, config)
    edits = (
        PictureEdit((pictures / "picture-001.png").as_posix(), caption="tok $(x), 日本, smiling"),
        PictureEdit((pictures / "picture-002.png").as_posix(), excluded="blurred"),
    )
    append_change(run, "edit", edits, files=scan(pictures))
    task = export_run("skypilot", run.read_config(), run=run).paths[0]
    rented = Rented.of(task, tmp_path / "machine")

    here = rented.shell(f'"$HOME/loracle-env/bin/loracle" train "{run.path}"')
    shutil.move(pictures, tmp_path / "gone")
    there = rented.shell(rented.task["run"])
    again = rented.shell(rented.task["run"])

    assert (here.returncode, there.returncode, again.returncode) == (0, 0, 0), here.stderr + there.stderr
    assert same(weights(rented.run), weights(run.path))
    assert len(events_of(rented.run, "started")) == 1  # it was finished, and told so

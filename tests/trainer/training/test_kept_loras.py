"""A LoRA once saved stays, whatever is trained after it in the same folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from advisor.run_folder.layout import RunFolder
from templates.report.results import lora_names
from tests.support.runs import events_of, make_config, metadata, run_training, same, weights


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def trained(run: Path, material: Path, epochs: int, *, resume: bool = False, **settings: Any) -> None:
    run_training(
        run, make_config(material, schedule__epochs=epochs, schedule__name="constant", **settings), resume=resume
    )


def test_every_epoch_keeps_a_file_of_its_own_when_a_training_goes_on(material: Path, tmp_path: Path) -> None:
    trained(tmp_path, material, 2)
    second = weights(tmp_path)
    trained(tmp_path, material, 4, resume=True)
    trained(tmp_path, material, 6, resume=True)

    files = ["tok.safetensors", *(f"tok-{epoch:06d}.safetensors" for epoch in range(1, 6))]
    assert names(tmp_path / "model") == sorted(files)
    assert same(weights(tmp_path, "tok-000002"), second)
    assert events_of(tmp_path, "finished")[-1]["loras"] == [f"model/{name}" for name in (*files[1:], files[0])]
    assert [(event["from"], event["to"]) for event in events_of(tmp_path, "moved")] == [
        ("model/tok.safetensors", "model/tok-000002.safetensors"),
        ("model/tok.safetensors", "model/tok-000004.safetensors"),
    ]
    assert lora_names(RunFolder(tmp_path).read_events().events) == [*files[1:], files[0]]


def test_a_training_that_went_on_leaves_what_one_in_one_go_leaves(material: Path, tmp_path: Path) -> None:
    kept: dict[str, Any] = {"saving__keep_last": 1, "saving__diffusers_copy": True}
    trained(tmp_path / "parts", material, 2, **kept)
    trained(tmp_path / "parts", material, 3, resume=True, **kept)
    trained(tmp_path / "whole", material, 3, **kept)

    expected = ["tok-000002-diffusers.safetensors", "tok-000002.safetensors", "tok-diffusers.safetensors"]
    assert names(tmp_path / "whole/model") == [*expected, "tok.safetensors"]
    assert names(tmp_path / "parts/model") == names(tmp_path / "whole/model")
    for name in expected:
        stem = name.removesuffix(".safetensors")
        assert same(weights(tmp_path / "parts", stem), weights(tmp_path / "whole", stem))


def test_a_training_that_goes_on_with_more_pictures_ends_with_the_last_wanted_epoch(tmp_path: Path) -> None:
    trained(tmp_path / "run", tmp_path, 2)
    pictures = Path(make_config(tmp_path).dataset.images)
    for number in range(8):
        shutil.copyfile(pictures / "picture-001.png", pictures / f"new-{number}.png")
        shutil.copyfile(pictures / "picture-001.txt", pictures / f"new-{number}.txt")
    trained(tmp_path / "run", tmp_path, 3, resume=True)

    before, after = (event["total"] for event in events_of(tmp_path / "run", "phase") if event["name"] == "train")
    third = [event["step"] for event in events_of(tmp_path / "run", "step") if event["epoch"] == 3]
    assert len(third) > before // 2
    assert third == list(range(before + 1, after + 1))
    assert names(tmp_path / "run/model") == ["tok-000001.safetensors", "tok-000002.safetensors", "tok.safetensors"]
    assert events_of(tmp_path / "run", "finished")[-1]["epochs"] == 3


@pytest.mark.parametrize("has_log", [True, False])
def test_what_the_user_wrote_into_a_loras_metadata_stays(material: Path, tmp_path: Path, has_log: bool) -> None:
    trained(tmp_path, material, 2)
    lora = tmp_path / "model/tok.safetensors"
    tensors, notes = weights(tmp_path), {**metadata(lora), "my_notes": "the best so far"}
    save_file(tensors, lora, notes)
    *earlier, last = sorted(path for path in (tmp_path / "state").iterdir() if path.is_dir())
    assert earlier
    shutil.rmtree(last)
    if not has_log:
        shutil.rmtree(tmp_path / "log")
    trained(tmp_path, material, 2, resume=True)

    kept = [path for path in (tmp_path / "model").rglob("*.safetensors") if "my_notes" in metadata(path)]
    assert [path.name for path in kept] == ["tok-000002.safetensors"]
    assert same(load_file(kept[0]), tensors)
    assert same(weights(tmp_path), tensors)


def test_one_that_ended_within_an_epoch_keeps_its_step_name(material: Path, tmp_path: Path) -> None:
    trained(tmp_path, material, 2, schedule__max_steps=1)
    first = weights(tmp_path)
    trained(tmp_path, material, 2, resume=True)

    assert same(weights(tmp_path, "tok-step00000001"), first)


def test_an_epochs_name_with_another_content_is_left_alone_and_the_last_lora_kept_aside(
    material: Path, tmp_path: Path
) -> None:
    trained(tmp_path, material, 1)
    first, other = weights(tmp_path), tmp_path / "model/tok-000001.safetensors"
    other.write_bytes(b"mine")
    trained(tmp_path, material, 2, resume=True)

    assert other.read_bytes() == b"mine"
    assert same(weights(tmp_path, "earlier-1/tok"), first)
    assert names(tmp_path / "model") == ["earlier-1", "tok-000001.safetensors", "tok.safetensors"]


def test_one_that_somebody_protected_is_not_removed(material: Path, tmp_path: Path) -> None:
    trained(tmp_path, material, 2)
    (tmp_path / "model/tok-000001.safetensors").chmod(0o444)
    trained(tmp_path, material, 4, resume=True, saving__keep_last=1)

    assert names(tmp_path / "model") == ["tok-000001.safetensors", "tok-000003.safetensors", "tok.safetensors"]


@pytest.mark.parametrize("keep_last", [0, 1])
def test_a_training_begun_anew_moves_the_loras_of_the_one_before(
    material: Path, tmp_path: Path, keep_last: int
) -> None:
    trained(tmp_path, material, 3)
    before = {name: (tmp_path / "model" / name).read_bytes() for name in names(tmp_path / "model")}
    shutil.rmtree(tmp_path / "state")
    trained(tmp_path, material, 2, run__seed=7, saving__keep_last=keep_last)

    assert names(tmp_path / "model") == ["earlier-1", "tok-000001.safetensors", "tok.safetensors"]
    assert {path.name: path.read_bytes() for path in (tmp_path / "model/earlier-1").iterdir()} == before
    shutil.rmtree(tmp_path / "state")
    trained(tmp_path, material, 1)
    assert names(tmp_path / "model") == ["earlier-1", "earlier-2", "tok.safetensors"]


def test_steps_made_again_with_other_settings_overwrite_no_lora(material: Path, tmp_path: Path) -> None:
    trained(tmp_path, material, 2)
    saved, states = {name: weights(tmp_path, name) for name in ("tok-000001", "tok")}, RunFolder(tmp_path).states()
    shutil.rmtree(states[-1])  # as where it was damaged: the state is older than the last LoRA
    rates = {"optimizer__unet_learning_rate": 5e-3, "optimizer__text_encoder_learning_rate": 5e-3}
    trained(tmp_path, material, 2, resume=True, **rates)

    assert not same(weights(tmp_path), saved["tok"])
    assert same(weights(tmp_path, "tok-000001"), saved["tok-000001"])
    assert same(weights(tmp_path, "tok-000002"), saved["tok"])


def test_the_same_steps_made_again_leave_no_second_file(material: Path, tmp_path: Path) -> None:
    trained(tmp_path, material, 2)
    last = weights(tmp_path)
    shutil.rmtree(RunFolder(tmp_path).states()[-1])
    trained(tmp_path, material, 2, resume=True)

    assert same(weights(tmp_path), last)
    assert names(tmp_path / "model") == ["tok-000001.safetensors", "tok.safetensors"]


def test_a_new_name_that_is_an_epochs_file_overwrites_nothing(material: Path, tmp_path: Path) -> None:
    trained(tmp_path, material, 2)
    first = weights(tmp_path, "tok-000001")
    trained(tmp_path, material, 3, resume=True, saving__name="tok-000001")

    assert same(weights(tmp_path, "tok-000001-000001"), first)
    assert (tmp_path / "model/tok.safetensors").exists()

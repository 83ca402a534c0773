from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from advisor.errors import ConfigErrors, RunError
from templates.exporting.exporter import Export
from templates.onetrainer.export import EXPORTER
from templates.onetrainer.export_config import strength_of
from tests.support.pictures import make_pictures
from tests.support.samples import sample_config


def export(place: Path, /, *, out: Path | None = None, **groups: Any) -> Export:
    if not (place / "pictures").exists():
        make_pictures(place / "pictures", 2)
    return EXPORTER.write(sample_config(place / "pictures", **groups), run=place / "run", out=out)


def read(result: Export, name: str) -> Any:
    return json.loads(next(path for path in result.paths if path.name == name).read_text("utf-8"))


def test_the_files_know_each_other_and_their_version(tmp_path: Path) -> None:
    result = export(tmp_path, sampling={"prompts": ["a fox"], "negative": "blurry"})

    config = read(result, "config.json")
    home = tmp_path / "run" / "exports" / "onetrainer"
    assert config["__version"] == 11
    assert config["concept_file_name"] == (home / "concepts.json").as_posix()
    assert config["text_encoder"]["stop_training_after_unit"] == "NEVER"
    assert config["loss_weight_fn"] == "MIN_SNR_GAMMA"
    assert read(result, "concepts.json")[0]["path"] == (tmp_path / "pictures").as_posix()
    assert read(result, "concepts.json")[0]["balancing"] == 20.0
    assert read(result, "samples.json")[0]["prompt"] == "a fox"
    assert str(home / "config.json") in result.how_to_start


def test_folders_with_their_own_repeats_are_concepts(tmp_path: Path) -> None:
    make_pictures(tmp_path / "pictures" / "10_a", 1)
    make_pictures(tmp_path / "pictures" / "b", 1)
    folders = [{"path": "10_a", "repeats": 10}]

    concepts = read(export(tmp_path, dataset={"folders": folders, "repeats": 3}), "concepts.json")

    assert sorted((Path(item["path"]).name, item["balancing"]) for item in concepts) == [("10_a", 10.0), ("b", 3.0)]


def test_only_the_folders_that_are_named_are_concepts(tmp_path: Path) -> None:
    for name in ("girl", "girl/sketches", "class", "class/other"):
        make_pictures(tmp_path / "pictures" / name, 1)
    dataset: dict[str, Any] = {
        "only_folders": True, "folders": [{"path": "girl", "repeats": 3, "subfolders": False}],
        "regularization_images": str(tmp_path / "pictures" / "class"),
        "regularization_folders": [{"path": ".", "repeats": 1, "subfolders": False}],
    }  # fmt: skip

    concepts = read(export(tmp_path, dataset=dataset), "concepts.json")

    assert [(Path(item["path"]).name, item["balancing"], item["include_subdirectories"]) for item in concepts] == [
        ("girl", 3.0, False),
        ("class", 1.0, False),
    ]


def test_one_batch_of_warm_up_is_not_taken_for_all_of_it(tmp_path: Path) -> None:
    groups: dict[str, Any] = {"schedule": {"warmup_steps": 1, "warmup_share": 0.0, "batch_size": 1}}

    assert read(export(tmp_path, **groups), "config.json")["learning_rate_warmup_steps"] == 1.5


def test_each_timestep_survives_being_cut_off() -> None:
    assert all(int(1000 * strength_of(timestep)) == timestep for timestep in range(1001))


@pytest.mark.parametrize(
    ("groups", "path"),
    [
        ({"model": {"family": "flux1"}}, "model.family"), ({"loss": {"debiased": True}}, "loss.debiased"),
        ({"optimizer": {"unet_learning_rate": 0, "text_encoder_learning_rate": 0}}, "optimizer.unet_learning_rate"),
        ({"dataset": {"random_crop": True}}, "dataset.random_crop"),
    ],
)  # fmt: skip
def test_what_it_cannot_train_is_refused_before_writing(tmp_path: Path, groups: dict[str, Any], path: str) -> None:
    with pytest.raises(ConfigErrors, match=path):
        export(tmp_path, **groups)
    assert not (tmp_path / "run").exists()


def test_what_has_no_place_or_another_form_is_reported(tmp_path: Path) -> None:
    groups: dict[str, Any] = {
        "network": {"kind": "locon", "conv_rank": 8},
        "schedule": {"name": "polynomial", "max_steps": 100},
        "optimizer": {"arguments": ["mystery=1"]},
        "loss": {"kind": "huber"},
    }

    notes = " ".join(export(tmp_path, **groups).notes)

    for part in ("network.conv_rank", "schedule.name", "schedule.max_steps", "mystery=1", "huber"):
        assert part in notes


@pytest.mark.parametrize(("lines", "told"), [("joined", True), ("random", False)])
def test_lines_of_captions_that_it_draws_are_told(tmp_path: Path, lines: str, told: bool) -> None:
    make_pictures(tmp_path / "pictures", 2, captions="mira\nsmile")

    notes = " ".join(export(tmp_path, dataset={"caption_lines": lines}).notes)

    assert ("draws one of a caption's lines each time, and 2 of the captions" in notes) == told


def test_images_may_be_elsewhere(tmp_path: Path) -> None:
    config = sample_config("/not here", dataset={"folders": [{"path": "a", "repeats": 2}]})

    result = EXPORTER.write(config, run=tmp_path, out=tmp_path / "o")

    assert [item["path"] for item in read(result, "concepts.json")] == ["/not here/a", "/not here"]
    assert "not on this machine" in " ".join(result.notes)
    (tmp_path / "taken").write_text("x", "utf-8")
    with pytest.raises(RunError, match="is a file"):
        EXPORTER.write(config, run=tmp_path, out=tmp_path / "taken")

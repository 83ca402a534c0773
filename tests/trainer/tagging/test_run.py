from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import trainer.tagging.run as module
from advisor.data_folder import data_folder
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import writing
from advisor.run_folder.pictures.tag_request import (
    PictureToTag,
    TagAnswer,
    TagRequest,
    read_tag_answer,
    write_tag_request,
)
from advisor.tagging.choose_tags import TagChooser
from advisor.tagging.tag_list import read_tag_list
from tests.support.runs import events_of
from tests.support.taggers import DEMO_TAGGER, colour_model, write_tagger
from trainer.demo.assets import HELD_OUT_FOLDER
from trainer.tagging.run import main


@pytest.fixture(autouse=True)
def own_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LORACLE_DATA", str(tmp_path / "data"))


def run(folder: Path, **given: Any) -> int:
    pictures = tuple(PictureToTag(path=str(path)) for path in sorted(HELD_OUT_FOLDER.glob("*.png")))
    request = TagRequest(**{"model": str(DEMO_TAGGER / "model.onnx"), "pictures": pictures, "device": "cpu", **given})
    write_tag_request(folder, request)
    return main([str(folder)])


def captions(answer: TagAnswer) -> dict[str, set[str]]:
    chooser = TagChooser(read_tag_list(DEMO_TAGGER / "selected_tags.csv"))
    return {
        Path(one.path).name: {tag.text for tag in chooser.chosen(one.confidences)} for one in answer.pictures
    }  # fmt: skip


def test_the_demos_tagger_tells_what_the_demos_captions_tell(tmp_path: Path) -> None:
    assert run(tmp_path) == 0

    found = captions(read_tag_answer(tmp_path))
    wanted = {
        f"{path.stem}.png": {"solo", *path.read_text().strip().split(", ")} for path in HELD_OUT_FOLDER.glob("*.txt")
    }
    hits = sum(len(found[name] & tags) for name, tags in wanted.items())
    assert hits / sum(map(len, wanted.values())) > 0.95
    assert hits / sum(map(len, found.values())) > 0.95
    assert read_tag_answer(tmp_path).provider == "CPUExecutionProvider"


def test_it_tells_its_progress_and_its_end(tmp_path: Path) -> None:
    run(tmp_path)

    assert [event["name"] for event in events_of(tmp_path, "phase")] == ["load_tagger", "tag"]
    progress = [event for event in events_of(tmp_path, "progress") if event["phase"] == "tag"]
    assert (progress[-1]["done"], progress[-1]["total"]) == (12, 12)
    assert events_of(tmp_path)[-1]["event"] == "finished"


def test_what_was_told_lies_in_the_users_data_folder_and_is_not_computed_again(tmp_path: Path) -> None:
    assert run(tmp_path / "a") == 0
    (kept,) = (data_folder() / "tags").iterdir()
    assert kept.read_bytes().count(b"\n") == 12

    assert run(tmp_path / "b") == 0
    assert read_tag_answer(tmp_path / "b").num_computed == 0
    assert read_tag_answer(tmp_path / "b").pictures == read_tag_answer(tmp_path / "a").pictures


def test_another_list_of_tags_makes_another_model(tmp_path: Path) -> None:
    shutil.copytree(DEMO_TAGGER, tmp_path / "tagger")
    assert run(tmp_path / "a", model=str(tmp_path / "tagger" / "model.onnx")) == 0
    tags = tmp_path / "tagger" / "selected_tags.csv"
    tags.write_text(tags.read_text().replace("smile", "grin"))

    assert run(tmp_path / "b", model=str(tmp_path / "tagger" / "model.onnx")) == 0
    assert read_tag_answer(tmp_path / "b").num_computed == 12


def test_a_damaged_model_ends_with_2_and_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = write_tagger(tmp_path / "tagger", colour_model()[:-30])

    assert run(tmp_path / "events", model=str(model)) == 2
    (failed,) = events_of(tmp_path / "events", "failed")
    assert failed["code"] == "model"
    assert str(model) in capsys.readouterr().err


def test_a_model_that_only_onnxruntime_finds_broken_ends_with_2(tmp_path: Path) -> None:
    content = colour_model().replace(b"GlobalAveragePool", b"GlobalAveragePoof")
    model = write_tagger(tmp_path / "tagger", content)

    assert run(tmp_path / "events", model=str(model)) == 2
    (failed,) = events_of(tmp_path / "events", "failed")
    assert "cannot be loaded by onnxruntime" in failed["message"]


def test_what_is_unusual_about_the_model_is_a_warning(tmp_path: Path) -> None:
    model = write_tagger(tmp_path / "tagger", colour_model(shape=(2, 3, 64, 64)))

    assert run(tmp_path / "events", model=str(model)) == 0
    assert [one["code"] for one in events_of(tmp_path / "events", "warning")] == ["tagger_model", "tagger_model"]


def test_a_card_that_this_onnxruntime_cannot_use_is_told_with_the_package_that_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr(module, "available_providers", lambda: ["CPUExecutionProvider"])

    assert run(tmp_path, device=None) == 0
    (warning,) = events_of(tmp_path, "warning")
    assert "`pip install onnxruntime-gpu` in its place" in warning["message"]


def test_a_run_that_another_works_on_is_not_tagged(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()

    with writing(RunFolder(tmp_path / "run"), "loracle train", lambda _: None):
        assert run(tmp_path / "events", run=str(tmp_path / "run")) == 2
    (failed,) = events_of(tmp_path / "events", "failed")
    assert "loracle train" in failed["message"]

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from advisor.errors import HardwareError, LoraError
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import RunInUse, writing
from advisor.run_folder.pictures.edits_file import read_changes, undo_change
from advisor.run_folder.pictures.run_dataset import run_dataset
from advisor.run_folder.pictures.tag_request import TagAnswer, TagRequest, read_tag_answer, write_tag_request
from advisor.shell import shell_word
from tests.support.taggers import DEMO_TAGGER, write_tagger
from trainer.demo.assets import HELD_OUT_FOLDER
from trainer.tagging.run import main as trainer_main
from wizard.commands.tag import tag
from wizard.interview.pictures import tagging_tools
from wizard.interview.pictures.tag_options import TagOptions
from wizard.processes import tag_job
from wizard.user_data import remembered

CAPTIONED = "01.png"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LORACLE_DATA", str(tmp_path / "data"))


@pytest.fixture
def in_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[TagRequest]:
    """The tagger's process is this one; what it was asked."""
    asked = list[TagRequest]()

    def stand_in(request: TagRequest, *_: Any, **__: Any) -> TagAnswer:
        asked.append(request)
        folder = tmp_path / f"child-{len(asked)}"
        write_tag_request(folder, request.model_copy(update={"run": ""}))
        assert trainer_main([str(folder)]) == 0
        return read_tag_answer(folder)

    monkeypatch.setattr(tagging_tools, "run_tagging", stand_in)
    return asked


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run of four pictures of the demo's character, of which the first has a caption."""
    images = tmp_path / "pictures"
    images.mkdir()
    for index in range(1, 5):
        shutil.copy(HELD_OUT_FOLDER / f"{index:02}.png", images)
    (images / "01.txt").write_text("zuvi, drawn by hand\n", "utf-8")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "loracle.toml").write_text(
        f'[model]\npath = "m.safetensors"\nfamily = "sd1"\n[dataset]\nimages = {json.dumps(str(images))}\n'
        '[saving]\nname = "zuvi"\n[memory]\npreset = "cpu"\n[run]\ntrigger = "zuvi"\n',
        "utf-8",
    )
    return RunFolder(folder)


def tagged(run: RunFolder, *, as_json: bool = False, **given: Any) -> None:
    options = TagOptions(**{"model": str(DEMO_TAGGER), "device": "cpu", **given})
    tag(run.path, options, yes=False, as_json=as_json)


def captions(run: RunFolder) -> dict[str, str | None]:
    return {image.path: image.caption for image in run_dataset(run).report.image_files}


def wanted(name: str) -> set[str]:
    return {"solo", *(HELD_OUT_FOLDER / name).with_suffix(".txt").read_text().strip().split(", ")}


def file_states(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_a_real_tagger_in_its_own_process_captions_what_has_none(
    run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    before = file_states(run.path.parent / "pictures")

    tagged(run)

    found = captions(run)
    assert found[CAPTIONED] == "zuvi, drawn by hand"
    for name in ("02.png", "03.png", "04.png"):
        caption = found[name]
        assert caption is not None
        assert caption.startswith("zuvi, solo, ")
        assert set(caption.split(", ")) == wanted(name)
    assert file_states(run.path.parent / "pictures") == before
    (change,) = read_changes(run)
    assert (
        change.what == f"loracle tag {shell_word(str(run.path))} --model {shell_word(str(DEMO_TAGGER / 'model.onnx'))}"
    )
    said = capsys.readouterr().out
    assert "3 captions kept in" in said
    assert "undo" in said
    assert remembered("tagger") == str(DEMO_TAGGER / "model.onnx")


def test_one_undo_takes_all_of_it_back(run: RunFolder, in_this_process: list[TagRequest]) -> None:
    before = captions(run)
    tagged(run)

    assert undo_change(run) is not None
    assert captions(run) == before


def test_tags_come_behind_captions_or_in_their_place_where_that_is_wanted(
    run: RunFolder, in_this_process: list[TagRequest]
) -> None:
    tagged(run, append=True)
    appended = captions(run)[CAPTIONED]
    assert appended is not None
    assert appended.startswith("zuvi, drawn by hand, solo, ")

    tagged(run, replace=True)
    replaced = captions(run)[CAPTIONED]
    assert replaced is not None
    assert set(replaced.split(", ")) == wanted(CAPTIONED)
    assert len(read_changes(run)) == 2


def test_a_dry_run_shows_it_and_keeps_nothing(
    run: RunFolder, in_this_process: list[TagRequest], capsys: pytest.CaptureFixture[str]
) -> None:
    tagged(run, replace=True, dry_run=True)

    said = capsys.readouterr().out
    assert "  - zuvi, drawn by hand\n" in said
    assert "  + zuvi, solo, " in said
    assert "4 captions would change" in said
    assert not run.edits.exists()


def test_the_same_again_changes_nothing_and_another_share_computes_nothing(
    run: RunFolder, in_this_process: list[TagRequest], capsys: pytest.CaptureFixture[str]
) -> None:
    tagged(run, replace=True)
    capsys.readouterr()

    tagged(run, replace=True, as_json=True)
    assert json.loads(capsys.readouterr().out)["change"] is None
    tagged(run, replace=True, threshold=0.999, as_json=True)

    found = json.loads(capsys.readouterr().out)
    assert (found["num_computed"], found["change"], found["provider"]) == (0, 2, None)
    assert [change.number for change in read_changes(run)] == [1, 2]


def test_only_the_pictures_that_are_named_are_tagged_and_told_as_json(
    run: RunFolder, in_this_process: list[TagRequest], capsys: pytest.CaptureFixture[str]
) -> None:
    tagged(run, only=("03*",), without=("solo",), as_json=True)

    found = json.loads(capsys.readouterr().out)
    (picture,) = found["pictures"]
    assert (picture["path"], picture["before"]) == ("03.png", None)
    assert {tag["tag"] for tag in picture["tags"]} == wanted("03.png") - {"solo", "zuvi"}
    assert all(tag["confidence"] >= 0.35 for tag in picture["tags"])
    assert set(found) == {"model", "provider", "num_computed", "pictures", "unreadable", "in_nearly_all", "change"}


def test_where_all_have_captions_the_options_that_help_are_told(
    run: RunFolder, in_this_process: list[TagRequest], capsys: pytest.CaptureFixture[str]
) -> None:
    tagged(run)
    tagged(run)

    assert "--append adds tags behind them" in capsys.readouterr().out
    assert len(in_this_process) == 1


def test_a_picture_that_cannot_be_read_is_told_and_the_others_are_tagged(
    run: RunFolder, in_this_process: list[TagRequest], capsys: pytest.CaptureFixture[str]
) -> None:
    picture = run.path.parent / "pictures" / "03.png"
    picture.write_bytes(picture.read_bytes()[:300])

    tagged(run)

    assert "1 picture cannot be read" in capsys.readouterr().out
    assert captions(run)["03.png"] is None
    assert captions(run)["04.png"] is not None


def test_the_tagger_used_last_is_used_again(run: RunFolder, in_this_process: list[TagRequest]) -> None:
    tagged(run)
    tagged(run, model=None, replace=True)

    assert in_this_process[1].model == str(DEMO_TAGGER / "model.onnx")


def test_while_another_works_on_the_run_nothing_is_tagged(run: RunFolder) -> None:
    with writing(run, "loracle train", lambda _: None), pytest.raises(RunInUse):
        tagged(run)


def test_a_model_of_another_kind_is_refused_before_anything_is_started(
    run: RunFolder, in_this_process: list[TagRequest], tmp_path: Path
) -> None:
    write_tagger(tmp_path / "tagger", b"no model")

    with pytest.raises(LoraError, match="is no ONNX file"):
        tagged(run, model=str(tmp_path / "tagger"))
    assert in_this_process == []
    assert not run.lock.exists()


def test_without_onnxruntime_one_sentence_says_what_to_install(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tag_job, "find_spec", lambda _: None)

    with pytest.raises(HardwareError, match=r"^Tagging needs the package onnxruntime.*-m pip install onnxruntime"):
        tagged(run)


def test_an_option_that_cannot_be_is_refused_first(run: RunFolder) -> None:
    with pytest.raises(LoraError, match="--threshold is 2"):
        tagged(run, threshold=2.0, model="nothing")


@pytest.mark.parametrize("mode", [{}, {"append": True}, {"replace": True}], ids=["missing", "append", "replace"])
def test_a_caption_that_is_written_while_it_tags_counts(
    run: RunFolder, in_this_process: list[TagRequest], monkeypatch: pytest.MonkeyPatch, mode: dict[str, bool]
) -> None:
    stand_in: Any = tagging_tools.__dict__["run_tagging"]

    def tagging(*given: Any, **named: Any) -> TagAnswer:
        answer: TagAnswer = stand_in(*given, **named)
        (run.path.parent / "pictures" / "02.txt").write_text("zuvi, written meanwhile", "utf-8")
        return answer

    monkeypatch.setattr(tagging_tools, "run_tagging", tagging)
    tagged(run, **mode)

    found = captions(run)["02.png"]
    assert found is not None
    assert (found == "zuvi, written meanwhile") is (not mode)
    assert found.startswith("zuvi, written meanwhile, solo") is ("append" in mode)
    stale = run_dataset(run).stale_captions
    assert not stale, "the file was seen as it is now"

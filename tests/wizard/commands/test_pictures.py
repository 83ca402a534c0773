"""`loracle pictures`: pictures left out, taken in again and cropped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from advisor.errors import ConfigError, DatasetError, LoraError
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import RunInUse, writing
from advisor.run_folder.pictures.edits_file import read_changes
from advisor.run_folder.pictures.left_out import LeftOut, LeftOutImage
from advisor.run_folder.pictures.run_dataset import run_dataset
from tests.support.runs import make_config, write_toml
from wizard.commands.pictures import PictureOptions, pictures


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run of four pictures of 160 x 128, 128 x 160, 300 x 200 and 128 x 128."""
    write_toml(tmp_path / "run" / "loracle.toml", make_config(tmp_path, pictures=4))
    return RunFolder(tmp_path / "run")


def names(run: RunFolder) -> list[str]:
    return [image.path for image in run_dataset(run).report.image_files]


def shown(run: RunFolder, capsys: pytest.CaptureFixture[str]) -> Any:
    capsys.readouterr()
    pictures(run.path, "", (), PictureOptions(as_json=True))
    return json.loads(capsys.readouterr().out)


def test_pictures_are_left_out_with_a_reason_and_taken_in_again(
    run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures(run.path, "leave-out", ["picture-001*", "picture-003.png"], PictureOptions(reason="blurred"))

    assert names(run) == ["picture-002.png", "picture-004.png"]
    assert shown(run, capsys)["excluded"] == [
        {"path": "picture-001.png", "reason": "blurred"}, {"path": "picture-003.png", "reason": "blurred"},
    ]  # fmt: skip
    pictures(run.path, "take-in", ["*"])
    assert len(names(run)) == 4
    assert [change.what for change in read_changes(run)] == [
        'pictures leave-out "picture-001*" picture-003.png --reason blurred',
        'pictures take-in "*"',
    ]


def test_a_broken_picture_that_was_left_out_is_looked_at_again(
    run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    root = run_dataset(run).report.root
    broken = tuple(LeftOutImage(path=str(Path(root) / f"picture-00{number}.png"), why="cut off") for number in (1, 2))
    run.write_left_out(LeftOut(images=broken))

    assert [one["path"] for one in shown(run, capsys)["excluded"]] == ["picture-001.png", "picture-002.png"]
    pictures(run.path, "take-in", ["picture-001*", "picture-003*"], PictureOptions(dry_run=True))
    assert len(run.read_left_out().images) == 2
    pictures(run.path, "take-in", ["picture-001*", "picture-003*"])
    assert "1 picture changed: picture-001.png" in capsys.readouterr().out
    assert [Path(one.path).name for one in run.read_left_out().images] == ["picture-002.png"]
    assert not run.edits.exists()


def test_a_picture_is_cropped_and_whole_again(run: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    pictures(run.path, "crop", ["picture-003.png"], PictureOptions(box="50, 0,250,200"))

    assert shown(run, capsys)["cropped"] == [
        {"path": "picture-003.png", "crop": [50, 0, 250, 200], "whole": [300, 200]}
    ]
    pictures(run.path, "crop", ["picture-003.png"], PictureOptions(box="off"))
    assert shown(run, capsys)["cropped"] == []
    pictures(run.path, "crop", ["picture-003.png"], PictureOptions(box="off"))
    assert len(read_changes(run)) == 2


@pytest.mark.parametrize("box", ["", "1,2,3", "a,b,c,d", "10,0,10,100", "-1,0,90,90", "0,0,9e9,90", "٣,0,90,90"])
def test_what_is_no_crop_is_refused(run: RunFolder, box: str) -> None:
    with pytest.raises(ConfigError, match="LEFT,TOP,RIGHT,BOTTOM"):
        pictures(run.path, "crop", ["*"], PictureOptions(box=box))


def test_a_crop_that_does_not_lie_in_every_picture_is_refused_whole(run: RunFolder) -> None:
    with pytest.raises(DatasetError, match=r"picture-001\.png is 160 x 128 pixels, and 0,0,200,100 is no crop"):
        pictures(run.path, "crop", ["*"], PictureOptions(box="0,0,200,100"))
    assert not run.edits.exists()


def test_nothing_is_written_without_something_to_change_or_for_a_preview(
    run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures(run.path, "take-in", ["*"])
    pictures(run.path, "leave-out", ["picture-001.png"], PictureOptions(dry_run=True))

    assert not run.edits.exists()
    assert "1 picture would be changed; nothing was written: picture-001.png" in capsys.readouterr().out


def test_all_pictures_cannot_be_left_out_and_what_left_nothing_is_mended(run: RunFolder) -> None:
    with pytest.raises(DatasetError, match="no picture would be left"):
        pictures(run.path, "leave-out", ["*"])
    pictures(run.path, "leave-out", ["picture-001.png", "picture-002.png", "picture-003.png"])
    (Path(run.read_config().dataset.images) / "picture-004.png").unlink()
    with pytest.raises(DatasetError, match="take-in"):
        run_dataset(run)

    pictures(run.path, "take-in", ["*"])
    assert len(names(run)) == 3


def test_a_name_that_no_picture_has_an_unknown_action_and_a_run_in_use_are_refused(run: RunFolder) -> None:
    with pytest.raises(DatasetError, match=r"did you mean picture-001\.png"):
        pictures(run.path, "leave-out", ["picture-01.png"])
    with pytest.raises(ConfigError, match="leave-out, take-in or crop"):
        pictures(run.path, "leave_out", ["*"])
    with pytest.raises(LoraError, match="leave-out what"):
        pictures(run.path, "leave-out", [])
    with writing(run, "another", print), pytest.raises(RunInUse):
        pictures(run.path, "leave-out", ["picture-001.png"])


def test_a_part_that_is_no_option_is_told_where_it_belongs(run: RunFolder) -> None:
    with pytest.raises(ConfigError, match="stands behind --box: --box 0,0,90,90"):
        pictures(run.path, "crop", ["picture-001.png", "0,0,90,90"])


def test_the_last_change_is_taken_back(run: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    pictures(run.path, "leave-out", ["picture-001.png"])
    pictures(run.path, "undo", (), PictureOptions(dry_run=True))
    assert len(names(run)) == 3
    pictures(run.path, "undo", ())

    assert len(names(run)) == 4
    assert "Taken back: pictures leave-out picture-001.png" in capsys.readouterr().out
    with pytest.raises(LoraError, match="nothing to take back"):
        pictures(run.path, "undo", ())


def test_of_a_file_that_is_no_usable_picture_there_is_nothing_to_leave_out(run: RunFolder) -> None:
    (Path(run_dataset(run).report.root) / "bild.png").write_bytes(b"no picture")

    with pytest.raises(DatasetError, match=r"bild\.png is not trained, so there is nothing to do"):
        pictures(run.path, "leave-out", ["bild.png"])

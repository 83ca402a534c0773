"""The data set of a run, with the edits laid over what lies on the disk."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from advisor.dataset.edits import PictureEdit
from advisor.errors import DatasetError
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.edits_file import append_change, undo_change
from advisor.run_folder.pictures.run_dataset import run_dataset
from tests.support.pictures import draw_picture, make_pictures


@pytest.fixture
def images(tmp_path: Path) -> Path:
    make_pictures(tmp_path / "pictures", 3, captions="mia, smile")
    return tmp_path / "pictures"


@pytest.fixture
def run(tmp_path: Path, images: Path) -> RunFolder:
    return make_run(tmp_path / "run", images)


def make_run(folder: Path, images: Path, more: str = "") -> RunFolder:
    folder.mkdir()
    (folder / "loracle.toml").write_text(
        f'[model]\npath = "m.safetensors"\nfamily = "sd1"\n[dataset]\nimages = {json.dumps(str(images))}\n{more}\n'
        '[saving]\nname = "mia"\n',
        encoding="utf-8",
    )
    return RunFolder(folder)


def captions(run: RunFolder) -> dict[str, str | None]:
    return {Path(image.path).name: image.caption for image in run_dataset(run).report.image_files}


def test_a_run_without_edits_has_what_is_on_the_disk(run: RunFolder) -> None:
    found = run_dataset(run)

    assert found.report is found.files
    assert not found.edited_captions


def test_edits_are_laid_over_the_folder_which_stays_as_it_is(run: RunFolder, images: Path) -> None:
    first, second = ((images / f"picture-00{number}.png").as_posix() for number in (1, 2))
    append_change(run, "edit", [PictureEdit(first, caption="mia, laughing"), PictureEdit(second, excluded="blurred")])

    found = run_dataset(run)
    assert captions(run) == {"picture-001.png": "mia, laughing", "picture-003.png": "mia, smile"}
    assert [one.reason for one in found.report.excluded] == ["blurred"]
    assert found.files.num_images == 3
    assert (images / "picture-001.txt").read_text() == "mia, smile"


def test_a_caption_file_that_changed_since_its_edit_is_known_and_the_edit_is_used(run: RunFolder, images: Path) -> None:
    paths = [(images / f"picture-00{number}.png").as_posix() for number in (1, 2, 3)]
    append_change(run, "edit", [PictureEdit(path, caption="mia, laughing") for path in paths])
    (images / "picture-002.txt").write_text("another")
    (images / "picture-003.txt").unlink()

    found = run_dataset(run)
    assert found.edited_captions == tuple(paths)
    assert found.stale_captions == tuple(paths[1:])
    assert {image.caption for image in found.report.image_files} == {"mia, laughing"}


def test_edits_go_with_a_renamed_picture_where_another_at_its_old_path_is_edited(run: RunFolder, images: Path) -> None:
    first, moved = images / "picture-001.png", images / "picture-009.png"
    append_change(run, "caption", [PictureEdit(first.as_posix(), caption="mia, hat")])
    first.rename(moved)
    draw_picture(first, (300, 300), seed=46)
    append_change(run, "crop", [PictureEdit(first.as_posix(), crop=(0, 0, 200, 200))])

    found = run_dataset(run)
    assert found.edits.get(moved.as_posix()).caption == "mia, hat"
    assert found.edits.get(first.as_posix()).caption is None
    assert found.edits.get(first.as_posix()).crop == (0, 0, 200, 200)
    undo_change(run)
    assert captions(run)["picture-009.png"] == "mia, hat"


def test_a_renamed_picture_keeps_its_edit(run: RunFolder, images: Path) -> None:
    append_change(run, "edit", [PictureEdit((images / "picture-001.png").as_posix(), caption="mia, laughing")])
    (images / "picture-001.png").rename(images / "front.png")
    (images / "picture-001.txt").rename(images / "front.txt")

    found = run_dataset(run)
    assert captions(run)["front.png"] == "mia, laughing"
    assert [Path(now).name for _, now in found.followed.renamed] == ["front.png"]


def test_a_folder_that_was_moved_keeps_its_edits(run: RunFolder, images: Path, tmp_path: Path) -> None:
    append_change(run, "edit", [PictureEdit((images / "picture-002.png").as_posix(), caption="mia, laughing")])
    shutil.copytree(images, tmp_path / "moved")
    shutil.rmtree(images)
    moved = run.config.read_text().replace(json.dumps(str(images)), json.dumps(str(tmp_path / "moved")))
    run.config.write_text(moved)

    assert captions(run)["picture-002.png"] == "mia, laughing"


def test_a_copy_does_not_take_over_the_exclusion_of_a_picture_that_was_deleted(run: RunFolder, images: Path) -> None:
    (images / "below").mkdir()
    shutil.copy(images / "picture-001.png", images / "below" / "copy.png")
    path = images / "picture-001.png"
    append_change(run, "edit", [PictureEdit(path.as_posix(), excluded="a copy of below/copy.png")])
    path.unlink()

    found = run_dataset(run)
    assert found.report.num_images == 3
    assert [one.path for one in found.followed.lost] == [path.as_posix()]


def test_an_edit_of_a_picture_in_a_folder_that_is_named_elsewhere_is_found(tmp_path: Path, images: Path) -> None:
    draw_picture(tmp_path / "elsewhere.png")
    (tmp_path / "far").mkdir()
    (tmp_path / "elsewhere.png").rename(tmp_path / "far" / "d.png")
    named = f"only_folders = true\nfolders = [{{path = {json.dumps(str(tmp_path / 'far'))}, repeats = 2}}]"
    run = make_run(tmp_path / "run", images, named)
    append_change(run, "edit", [PictureEdit((tmp_path / "far" / "d.png").as_posix(), caption="mia, far away")])

    assert captions(run) == {"d.png": "mia, far away"}


def test_edits_that_leave_nothing_are_refused_with_the_mend(run: RunFolder, images: Path) -> None:
    paths = [path.as_posix() for path in images.glob("*.png")]
    append_change(run, "edit", [PictureEdit(path, excluded="no") for path in paths])

    with pytest.raises(DatasetError, match=r"all 3 pictures .* undo"):
        run_dataset(run)

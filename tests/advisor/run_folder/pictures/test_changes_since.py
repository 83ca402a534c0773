"""What changed of a run's pictures and captions since its manifest was written."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from advisor.dataset.edits import PictureEdit
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.changes_since import ChangesSince, changes_since, edited_since
from advisor.run_folder.pictures.edits_file import append_change, undo_change
from advisor.run_folder.pictures.file_stamps import file_stamps
from advisor.run_folder.pictures.left_out import LeftOut, LeftOutImage
from advisor.run_folder.pictures.manifest import FileNotes, planned_lines, write_manifest_lines
from advisor.run_folder.pictures.run_dataset import run_dataset
from advisor.run_folder.pictures.seen_pictures import DiskLook
from tests.support.pictures import draw_picture, make_pictures


@pytest.fixture
def images(tmp_path: Path) -> Path:
    make_pictures(tmp_path / "pictures", 4, captions="mia, smile")
    (tmp_path / "pictures" / "picture-004.txt").unlink()
    return tmp_path / "pictures"


@pytest.fixture
def run(tmp_path: Path, images: Path) -> RunFolder:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "loracle.toml").write_text(
        f'[model]\npath = "m.safetensors"\nfamily = "sd1"\n[dataset]\nimages = {json.dumps(str(images))}\n'
        '[saving]\nname = "mia"\n',
        encoding="utf-8",
    )
    return RunFolder(tmp_path / "run")


def note(run: RunFolder, *, with_contents: bool = True) -> None:
    data = run_dataset(run)
    stamps = file_stamps(Path(data.files.root), None, ".txt")
    look = DiskLook()
    contents = {path: look.content(path) or "" for path in stamps} if with_contents else {}
    write_manifest_lines(run, planned_lines(data.report, FileNotes.of(data, stamps).with_contents(contents)))


def found(run: RunFolder) -> ChangesSince:
    return changes_since(run, run.read_config())


def names(paths: tuple[str, ...]) -> list[str]:
    return [Path(path).name for path in paths]


def test_nothing_changed_and_nothing_is_read(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    note(run)
    monkeypatch.setattr(DiskLook, "content", lambda *_: pytest.fail("a picture was read"))
    monkeypatch.setattr(
        "advisor.run_folder.pictures.changes_since.read_caption", lambda *_: pytest.fail("a caption was read")
    )

    assert not found(run)


def test_pictures_that_came_went_and_changed_are_told_apart(run: RunFolder, images: Path) -> None:
    note(run)
    draw_picture(images / "new.png", seed=40)
    (images / "picture-001.png").unlink()
    draw_picture(images / "picture-002.png", (300, 300), seed=41)
    (images / "picture-003.png").rename(images / "other.png")

    changes = found(run)
    assert (names(changes.appeared), names(changes.vanished)) == (["new.png"], ["picture-001.png"])
    assert names(changes.pictures) == ["picture-002.png"]
    assert [(Path(then).name, Path(now).name) for then, now in changes.renamed] == [("picture-003.png", "other.png")]


def test_caption_files_that_changed_came_or_went_are_found(run: RunFolder, images: Path) -> None:
    note(run)
    (images / "picture-001.txt").write_text("mia, laugh")
    (images / "picture-002.txt").unlink()
    (images / "picture-004.txt").write_text("mia")

    assert names(found(run).captions) == ["picture-001.png", "picture-002.png", "picture-004.png"]


def test_files_that_were_only_touched_are_the_same(run: RunFolder, images: Path) -> None:
    for with_contents in (True, False):
        note(run, with_contents=with_contents)
        for path in images.iterdir():
            os.utime(path, (1, 1 + with_contents))

        assert not found(run)


def test_bytes_that_changed_in_a_file_of_the_same_size_are_found_where_the_content_is_known(
    run: RunFolder, images: Path
) -> None:
    note(run)
    path = images / "picture-001.png"
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)

    assert names(found(run).pictures) == ["picture-001.png"]


def test_unusable_pictures_and_those_left_out_as_broken_are_not_new(run: RunFolder, images: Path) -> None:
    draw_picture(images / "icon.png", (16, 16))
    (images / "broken.png").write_bytes(b"no picture")
    draw_picture(images / "half.png", seed=50)
    note(run)
    lines = run.manifest.read_text().splitlines(keepends=True)
    run.manifest.write_text("".join(line for line in lines if "half.png" not in line))
    run.write_left_out(LeftOut(images=(LeftOutImage(path=str(images / "half.png"), why="cut off"),)))

    assert not found(run)


def test_a_manifest_of_an_earlier_version_tells_of_names_alone(run: RunFolder, images: Path) -> None:
    paths = [images / f"picture-00{number}.png" for number in (1, 2, 3)]
    line = {"size": [512, 512], "bucket": [512, 512], "repeats": 1, "caption": "mia"}
    write_manifest_lines(run, [{"path": path.as_posix(), **line} for path in paths])
    (images / "picture-001.txt").write_text("mia, laugh")

    assert found(run) == ChangesSince(appeared=((images / "picture-004.png").as_posix(),), root=images.as_posix())


def test_without_manifest_or_pictures_there_is_nothing_to_tell(run: RunFolder, images: Path) -> None:
    assert not found(run)
    note(run)
    shutil.rmtree(images)
    assert not found(run)


def test_pictures_edited_since_the_last_training_are_told_also_where_edits_were_taken_back(
    run: RunFolder, images: Path
) -> None:
    def trained() -> None:
        note(run)
        run.manifest.write_text(run.manifest.read_text().replace('"use": "planned"', '"use": "training"'))

    def edited() -> list[str]:
        changes = changes_since(run, run.read_config())
        return names(edited_since(run, run.read_config(), run_dataset(run), changes.renamed))

    paths = [(images / f"picture-00{number}.png").as_posix() for number in (1, 2, 3)]
    trained()
    assert edited() == []
    append_change(
        run,
        "three",
        [
            PictureEdit(paths[0], caption="mia, laugh"),
            PictureEdit(paths[1], crop=(0, 0, 100, 100)),
            PictureEdit(paths[2], excluded="no"),
        ],
    )
    assert edited() == ["picture-001.png", "picture-002.png", "picture-003.png"]
    trained()
    assert edited() == []
    append_change(run, "whole", [PictureEdit(paths[1], crop=(0, 0, 640, 448))])
    assert edited() == ["picture-002.png"]
    trained()
    assert edited() == []
    undo_change(run)
    undo_change(run)
    assert edited() == ["picture-001.png", "picture-003.png"]


def test_a_renamed_picture_and_a_crop_that_fits_no_more_are_not_edited_since(run: RunFolder, images: Path) -> None:
    first, second = (images / f"picture-00{number}.png" for number in (1, 2))
    append_change(run, "caption", [PictureEdit(first.as_posix(), caption="mia, laugh")])
    append_change(run, "crop", [PictureEdit(second.as_posix(), crop=(0, 0, 300, 300))])
    draw_picture(second, (200, 200), seed=44)
    note(run)
    run.manifest.write_text(run.manifest.read_text().replace('"use": "planned"', '"use": "training"'))
    first.rename(images / "other.png")

    data, changes = run_dataset(run), changes_since(run, run.read_config())
    assert names(data.edited_captions) == ["other.png"]
    assert edited_since(run, run.read_config(), data, changes.renamed) == ()


def test_a_picture_replaced_before_the_list_was_made_has_its_own_content_there(run: RunFolder, images: Path) -> None:
    picture = images / "picture-001.png"
    append_change(run, "one", [PictureEdit(picture.as_posix(), caption="mia, laugh")])
    draw_picture(picture, (300, 300), seed=45)
    note(run, with_contents=False)
    os.utime(picture, ns=(1, 1))

    assert not found(run)

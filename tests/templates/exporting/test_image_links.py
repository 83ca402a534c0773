"""What the user changed in an export's image folders stays; links are told of, and copies made where asked."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Callable, Collection
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from advisor.errors import LoraError, RunError
from advisor.run_folder.write_over import UsersFiles
from templates.exporters import EXPORTERS
from templates.exporting import image_links
from templates.exporting.exporter import USUAL, Export, ExportOptions
from tests.support.pictures import draw_picture, make_pictures
from tests.support.samples import sample_config

OVERWRITE, COPY = ExportOptions(overwrite=True), ExportOptions(copy=True)
FOLDER = "exports/kohya/img/20_foxgirl"


class Exported:
    """A run whose export for kohya's GUI is there, with two captioned images."""

    def __init__(self, place: Path) -> None:
        self.run, self.images = place / "run", place / "p"
        self.originals = make_pictures(self.images, 2, captions=True)
        self.again()

    def again(self, options: ExportOptions = USUAL) -> Export:
        config = sample_config(self.images)
        return EXPORTERS["kohya-gui"].write(config, run=self.run, out=None, options=options)

    def file(self, name: str) -> Path:
        return self.run / FOLDER / name

    def forget(self) -> None:
        """As if the export were of a version that noted nothing."""
        (self.run / "log" / "written.json").unlink()


@pytest.fixture
def exported(tmp_path: Path) -> Exported:
    return Exported(tmp_path)


@pytest.mark.parametrize("is_noted", [True, False])
def test_what_nobody_touched_is_made_anew(exported: Exported, is_noted: bool) -> None:
    if not is_noted:
        exported.forget()

    exported.again()

    assert not list(exported.run.rglob("*.bak"))


@pytest.mark.parametrize("is_noted", [True, False])
def test_an_edited_caption_stays(exported: Exported, is_noted: bool) -> None:
    caption = exported.file("picture-001.txt")
    caption.write_text("foxgirl, my own words\r\n", newline="")
    if not is_noted:
        exported.forget()

    with pytest.raises(UsersFiles, match=r"picture-001\.txt is not as Loracle wrote it.*--overwrite"):
        exported.again()
    assert caption.read_bytes() == b"foxgirl, my own words\r\n"

    exported.again(OVERWRITE)
    assert caption.with_name("picture-001.txt.bak").read_bytes() == b"foxgirl, my own words\r\n"
    assert caption.read_bytes() != b"foxgirl, my own words\r\n"


@pytest.mark.parametrize("is_noted", [True, False])
def test_a_replaced_image_stays(exported: Exported, is_noted: bool) -> None:
    image = exported.file("picture-001.png")
    image.unlink()
    draw_picture(image, seed=9)
    mine = image.read_bytes()
    if not is_noted:
        exported.forget()

    with pytest.raises(UsersFiles, match=r"picture-001\.png"):
        exported.again()
    assert image.read_bytes() == mine

    exported.again(OVERWRITE)
    assert image.with_name("picture-001.png.bak").read_bytes() == mine
    assert image.samefile(exported.originals[0])


def test_where_one_file_is_the_users_no_other_is_touched(exported: Exported) -> None:
    exported.file("picture-001.txt").write_text("mine")
    before = {path: path.stat().st_mtime_ns for path in exported.run.rglob("*") if path.is_file()}
    draw_picture(exported.images / "more.png", seed=5)

    with pytest.raises(UsersFiles):
        exported.again()

    assert {path: path.stat().st_mtime_ns for path in exported.run.rglob("*") if path.is_file()} == before


def test_an_image_that_left_the_data_set_leaves_the_export(exported: Exported) -> None:
    exported.originals[0].unlink()
    exported.originals[0].with_suffix(".txt").unlink()

    exported.again()

    assert not exported.file("picture-001.png").exists()
    assert not exported.file("picture-001.txt").exists()


def test_links_are_told_of(exported: Exported) -> None:
    notes = "\n".join(exported.again().notes)

    assert "hard links to yours" in notes
    assert "--copy" in notes


def test_a_caption_is_never_a_link(exported: Exported) -> None:
    assert exported.file("picture-001.png").samefile(exported.originals[0])
    assert os.stat(exported.file("picture-001.txt")).st_nlink == 1  # noqa: PTH116


def test_copies_take_the_place_of_links_and_links_that_of_copies(exported: Exported) -> None:
    notes = exported.again(COPY).notes
    copy = exported.file("picture-001.png")
    assert not copy.samefile(exported.originals[0])
    assert copy.read_bytes() == exported.originals[0].read_bytes()
    assert not any("hard links" in note or "take space twice" in note for note in notes)

    exported.again(COPY)
    exported.again()
    assert copy.samefile(exported.originals[0])
    assert not list(exported.run.rglob("*.bak"))


def test_an_edited_copy_stays_and_the_original_too(exported: Exported) -> None:
    exported.again(COPY)
    original = exported.originals[0].read_bytes()
    copy = exported.file("picture-001.png")
    with copy.open("r+b") as file:
        file.write(b"cropped")

    with pytest.raises(UsersFiles):
        exported.again()
    assert exported.originals[0].read_bytes() == original
    assert copy.read_bytes().startswith(b"cropped")


def test_an_edit_in_place_through_a_link_is_in_the_original_too_and_asks_for_nothing(exported: Exported) -> None:
    with exported.file("picture-001.png").open("ab") as file:
        file.write(b"more")

    exported.again()

    assert exported.originals[0].read_bytes().endswith(b"more")


def test_a_picture_whose_name_is_as_long_as_names_can_be_is_copied(tmp_path: Path) -> None:
    images = tmp_path / "p"
    (picture,) = make_pictures(images, 1)
    picture.rename(images / f"{'x' * 251}.png")

    EXPORTERS["kohya-gui"].write(sample_config(images), run=tmp_path / "run", out=None, options=COPY)

    assert [len(path.name) for path in (tmp_path / "run" / FOLDER).iterdir()] == [255]


@pytest.mark.parametrize("name", ["picture-001.txt", "picture-001.npz", "picture-001-masklabel.png"])
def test_what_the_user_or_a_trainer_puts_beside_a_picture_goes_with_it(exported: Exported, name: str) -> None:
    for caption in exported.images.glob("*.txt"):
        caption.unlink()
    exported.again()
    exported.file(name).write_bytes(b"theirs")

    exported.again()

    assert exported.file(name).read_bytes() == b"theirs"
    assert exported.file("picture-001.png").exists()
    assert not exported.file("picture-001-2.png").exists()


def test_a_users_picture_of_the_same_name_stays_and_ours_gets_a_number(exported: Exported) -> None:
    exported.file("picture-001.png").unlink()
    exported.file("picture-001.txt").unlink()
    (exported.run / "exports/kohya/img.made.txt").write_text("")
    exported.file("picture-001.jpeg").write_bytes(b"theirs")

    exported.again(OVERWRITE)

    assert exported.file("picture-001.jpeg").read_bytes() == b"theirs"
    assert exported.file("picture-001-2.png").exists()


def test_a_caption_written_where_there_was_none_is_not_overwritten_by_one_that_came_since(exported: Exported) -> None:
    given = exported.images / "picture-001.txt"
    words = given.read_bytes()
    given.unlink()
    exported.again()
    caption = exported.file("picture-001.txt")
    caption.write_text("written in the export")
    given.write_bytes(words)

    with pytest.raises(UsersFiles, match=r"picture-001\.txt is not as Loracle wrote it"):
        exported.again()
    assert caption.read_text() == "written in the export"

    exported.again(OVERWRITE)
    assert caption.with_name("picture-001.txt.bak").read_bytes() == words + b"\n", "when it was gone from where it was"
    assert caption.with_name("picture-001.txt.bak2").read_text() == "written in the export"
    assert caption.read_bytes() == words + b"\n"


@pytest.mark.parametrize("options", [USUAL, COPY], ids=["links", "copies"])
def test_a_file_that_comes_while_the_export_is_made_stays(
    exported: Exported, options: ExportOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, before = exported.file("picture-002.png"), image_links.LinkFolder._clear

    def clear(self: image_links.LinkFolder, names: Collection[str], *more: Any) -> tuple[Path, ...]:
        kept = before(self, names, *more)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(b"theirs")
        return kept

    monkeypatch.setattr(image_links.LinkFolder, "_clear", clear)

    with pytest.raises(RunError, match="another program has put it there meanwhile"):
        exported.again(options)
    assert target.read_bytes() == b"theirs"


@pytest.mark.parametrize("name", ["picture-001.png", "picture-001.txt"])
def test_nothing_is_written_through_a_link_in_the_export(exported: Exported, name: str) -> None:
    own = exported.run / "mine"
    own.write_bytes(b"mine")
    target = exported.file(name)
    half = target.with_name(f".{sha256(name.encode()).hexdigest()[:16]}.part")
    target.unlink()
    for place in (target, half):
        place.symlink_to(own)

    with pytest.raises(UsersFiles, match=re.escape(name)):
        exported.again(COPY)
    exported.again(ExportOptions(copy=True, overwrite=True))

    assert own.read_bytes() == b"mine"
    assert target.with_name(f"{name}.bak").is_symlink()
    assert not target.is_symlink()


def test_an_export_that_a_full_disk_broke_off_goes_through_once_there_is_room(
    exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, caption in enumerate(sorted(exported.images.glob("*.txt"))):
        caption.write_text(f"foxgirl, other words {number}")
    monkeypatch.setattr(image_links, "_write", full_after(4, image_links._write))
    with pytest.raises(RunError, match="free some space"):
        exported.again(COPY)
    monkeypatch.undo()
    assert exported.file("picture-001.txt").read_text() == "foxgirl, other words 0\n"
    (exported.images / "picture-001.txt").write_text("foxgirl, thought better of")

    exported.again(COPY)

    assert exported.file("picture-001.txt").read_text() == "foxgirl, thought better of\n"
    assert sorted(path.suffix for path in exported.file("").iterdir()) == [".png", ".png", ".txt", ".txt"]


def full_after(writes: int, write: Callable[..., None]) -> Callable[..., None]:
    """As `write`, with a disk that is full at that write, of which half a file is left."""
    left = [writes]

    def written(source: object, file: BinaryIO) -> None:
        left[0] -= 1
        if left[0] <= 0:
            file.write(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(source, file)

    return written


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["ai-toolkit", "kohya-gui"])
@pytest.mark.parametrize("options", [USUAL, COPY, OVERWRITE], ids=["links", "copies", "overwriting"])
def test_an_export_that_became_the_data_set_is_never_exported_onto_itself(
    tmp_path: Path, name: str, options: ExportOptions
) -> None:
    out = tmp_path / "out"
    make_pictures(tmp_path / "p", 3, captions=True)
    EXPORTERS[name].write(sample_config(tmp_path / "p"), run=tmp_path / "run", out=out, options=USUAL)
    images = next(path for path in (tmp_path / "run/exports/kohya/img", out / "img") if path.exists())
    shutil.rmtree(tmp_path / "p")
    before = contents(images)

    again = tmp_path / ("other" if images.is_relative_to(out) else "run")
    with pytest.raises(LoraError):
        EXPORTERS[name].write(sample_config(images), run=again, out=out, options=options)
    assert contents(images) == before


@pytest.mark.parametrize("is_link", [True, False])
def test_an_export_never_writes_among_the_pictures(tmp_path: Path, is_link: bool) -> None:
    out = tmp_path / "out"
    pictures = tmp_path / "p" if is_link else out / "img" / "20_foxgirl"
    make_pictures(pictures, 3, captions=True)
    if is_link:
        (out / "img").mkdir(parents=True)
        (out / "img" / "20_foxgirl").symlink_to(pictures)
    before = contents(pictures)

    images = pictures if is_link else out / "img"
    with pytest.raises(RunError, match="is where the pictures themselves lie"):
        EXPORTERS["ai-toolkit"].write(sample_config(images), run=tmp_path / "run", out=out, options=OVERWRITE)
    assert contents(pictures) == before


def test_a_run_that_is_kept_among_the_pictures_is_exported(tmp_path: Path) -> None:
    make_pictures(tmp_path / "p", 3, captions=True)
    run = tmp_path / "p" / "run"

    for _ in range(2):
        EXPORTERS["kohya-gui"].write(sample_config(tmp_path / "p"), run=run, out=None, options=USUAL)

    assert len(list((run / "exports/kohya/img").rglob("*.png"))) == 3

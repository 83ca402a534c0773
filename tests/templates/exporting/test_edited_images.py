"""Exports of a run whose pictures the user edited: its captions, without what is left out, cropped."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from advisor.dataset.edits import PictureEdit
from advisor.dataset.scan import scan
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.edits_file import append_change
from advisor.run_folder.pictures.left_out import LeftOut, LeftOutImage
from advisor.run_folder.write_over import UsersFiles
from templates.exporters import EXPORTERS
from templates.exporting.exporter import USUAL, Export, ExportOptions
from tests.support.pictures import make_pictures, scene
from tests.support.samples import sample_config
from tests.support.vocabularies import OF_STABLE_DIFFUSION

FOLDERS = {
    "kohya-gui": "exports/kohya/img/20_foxgirl",
    "sd-scripts": "exports/kohya/img/20_foxgirl",
    "ai-toolkit": "exports/ai-toolkit/img/20_foxgirl",
    "onetrainer": "exports/onetrainer/img/20_foxgirl",
}


class Edited:
    """A run of four pictures, of which one is left out, one cropped, and one has another caption."""

    def __init__(self, place: Path) -> None:
        self.run, self.images = place / "run", place / "p"
        make_pictures(self.images, 4, captions="foxgirl, smile")
        scene(3, (640, 448)).save(self.images / "picture-002.png")
        self.edit(
            PictureEdit(self.path(1), caption="foxgirl, laughing"),
            PictureEdit(self.path(2), crop=(100, 20, 500, 420)),
            PictureEdit(self.path(3), excluded="blurred"),
        )

    def path(self, number: int) -> str:
        return (self.images / f"picture-00{number}.png").as_posix()

    def edit(self, *edits: PictureEdit) -> None:
        append_change(RunFolder(self.run), "edit", edits, files=scan(self.images))

    def export(self, name: str, options: ExportOptions = USUAL, **groups: Any) -> Export:
        config = sample_config(self.images, **groups)
        return EXPORTERS[name].write(config, run=self.run, out=None, options=options)


@pytest.fixture
def edited(tmp_path: Path) -> Edited:
    return Edited(tmp_path)


@pytest.mark.parametrize("name", OF_STABLE_DIFFUSION)
def test_captions_exclusions_and_crops_arrive_with_every_trainer(edited: Edited, name: str) -> None:
    before = {path: path.read_bytes() for path in edited.images.iterdir()}
    notes = edited.export(name).notes

    folder = edited.run / FOLDERS[name]
    pictures = ("picture-001", "picture-002", "picture-004")
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        f"{stem}{extension}" for stem in pictures for extension in (".png", ".txt")
    )
    captions = [(folder / f"{stem}.txt").read_text().strip() for stem in pictures]
    assert captions == ["foxgirl, laughing", "foxgirl, smile", "foxgirl, smile"]
    with Image.open(folder / "picture-002.png") as cropped, Image.open(edited.path(2)) as whole:
        assert np.array_equal(np.asarray(cropped), np.asarray(whole.crop((100, 20, 500, 420))))
    assert (folder / "picture-001.txt").stat().st_nlink == (folder / "picture-002.png").stat().st_nlink == 1
    assert (folder / "picture-001.png").samefile(edited.path(1))
    assert any("written as you cropped them" in note for note in notes)
    assert {path: path.read_bytes() for path in edited.images.iterdir()} == before


@pytest.mark.parametrize("name", OF_STABLE_DIFFUSION)
def test_a_second_export_follows_the_edits_of_now(edited: Edited, name: str) -> None:
    edited.export(name)
    edited.edit(PictureEdit(edited.path(3), excluded=""), PictureEdit(edited.path(2), crop=(0, 0, 640, 448)))
    edited.export(name)

    folder = edited.run / FOLDERS[name]
    assert len(list(folder.glob("*.png"))) == 4
    assert (folder / "picture-002.png").samefile(edited.path(2))


def test_a_cropped_jpeg_becomes_a_png_of_another_name(tmp_path: Path) -> None:
    edited = Edited(tmp_path)
    scene(4, (640, 448)).save(edited.images / "photo.jpg")
    edited.edit(PictureEdit((edited.images / "photo.jpg").as_posix(), crop=(0, 0, 300, 300)))
    edited.export("kohya-gui")

    with Image.open(edited.run / FOLDERS["kohya-gui"] / "photo.png") as picture:
        assert (picture.format, picture.size) == ("PNG", (300, 300))


def test_onetrainer_reads_the_users_folder_where_nothing_is_edited_and_its_own_where_it_is(tmp_path: Path) -> None:
    images = tmp_path / "p"
    make_pictures(images, 2)
    plain = EXPORTERS["onetrainer"].write(sample_config(images), run=tmp_path / "plain", out=None, options=USUAL)
    edited = Edited(tmp_path / "other")
    own = edited.export("onetrainer")

    paths = [concepts(export)[0]["path"] for export in (plain, own)]
    assert paths == [images.as_posix(), (edited.run / FOLDERS["onetrainer"]).as_posix()]
    assert not (tmp_path / "plain/exports/onetrainer/img").exists()


def test_masks_go_along_to_onetrainer_and_are_cropped_with_their_pictures(edited: Edited) -> None:
    for number, size in ((1, (512, 512)), (2, (320, 224))):
        mask = Image.new("L", size, 0)
        mask.paste(255, (50, 10, 250, 210))
        mask.save(edited.images / f"picture-00{number}-masklabel.png")
    edited.export("onetrainer", dataset={"masks": True, "mask_source": "files"})

    folder = edited.run / FOLDERS["onetrainer"]
    name = "picture-001-masklabel.png"
    assert (folder / name).read_bytes() == (edited.images / name).read_bytes()
    with Image.open(folder / "picture-002-masklabel.png") as cropped:
        assert cropped.size == (200, 200)
        assert cropped.getextrema() == (255, 255)


def concepts(export: Export) -> Any:
    return json.loads(next(path for path in export.paths if path.name == "concepts.json").read_text("utf-8"))


@pytest.mark.parametrize("options", [USUAL, ExportOptions(copy=True)], ids=["links", "copies"])
@pytest.mark.parametrize("number", [1, 2])
def test_a_mask_painted_in_the_export_stays_where_one_would_be_written(
    edited: Edited, number: int, options: ExportOptions
) -> None:
    groups: dict[str, Any] = {"dataset": {"masks": True, "mask_source": "files"}}
    edited.export("onetrainer", **groups)
    painted = edited.run / FOLDERS["onetrainer"] / f"picture-00{number}-masklabel.png"
    painted.write_bytes(b"painted in the export")
    size = (640, 448) if number == 2 else (320, 320)
    Image.new("L", size, 255).save(edited.images / painted.name)

    with pytest.raises(UsersFiles, match=f"picture-00{number}-masklabel.png is not as Loracle wrote it"):
        edited.export("onetrainer", options, **groups)
    assert painted.read_bytes() == b"painted in the export"
    assert len(list(painted.parent.glob("picture-*.txt"))) == 3, "nothing was cleared"

    edited.export("onetrainer", replace(options, overwrite=True), **groups)
    assert painted.with_name(f"{painted.name}.bak").read_bytes() == b"painted in the export"
    with Image.open(painted) as mask:
        assert mask.getextrema() == (255, 255)


@pytest.mark.parametrize("name", OF_STABLE_DIFFUSION)
def test_edits_of_pictures_that_are_gone_are_told_in_the_notes(edited: Edited, name: str) -> None:
    (edited.images / "picture-003.png").rename(edited.images / "converted.png")
    scene(9, (640, 448)).save(edited.images / "converted.png")  # another content under another name
    (edited.images / "picture-001.txt").write_text("foxgirl, waving")

    notes = edited.export(name).notes

    assert any("1 picture with edits of yours is not there any more (picture-003.png)" in note for note in notes)
    assert any("1 of these caption files has changed since (picture-001" in note for note in notes), notes


@pytest.mark.parametrize("name", OF_STABLE_DIFFUSION)
def test_what_training_left_out_as_broken_is_not_exported(tmp_path: Path, name: str) -> None:
    run, images = tmp_path / "run", tmp_path / "p"
    paths = make_pictures(images, 4, captions=True)
    RunFolder(run).write_left_out(LeftOut(images=(LeftOutImage(path=str(paths[2]), why="cut off"),)))

    notes = EXPORTERS[name].write(sample_config(images), run=run, out=None, options=USUAL).notes

    found = sorted(path.name for path in (run / FOLDERS[name]).glob("*.png"))
    assert found == ["picture-001.png", "picture-002.png", "picture-004.png"]
    assert any("Not exported: 1 picture that training left out as broken" in note for note in notes)

"""Exports never write where pictures, masks and captions lie, whatever names lead there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from advisor.dataset.edits import PictureEdit
from advisor.dataset.scan import scan
from advisor.errors import RunError
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.edits_file import append_change
from advisor.settings.config import TrainingConfig, changed
from templates.exporters import EXPORTERS
from templates.exporting.exporter import USUAL, ExportOptions
from tests.support.mounts import run_with_second_name
from tests.support.pictures import make_pictures
from tests.support.samples import sample_config

COPY, OVERWRITE = ExportOptions(copy=True), ExportOptions(overwrite=True)
EXPORT = """
import sys
from pathlib import Path
from templates.exporters import EXPORTERS
from templates.exporting.exporter import USUAL
from tests.support.samples import sample_config
pictures, run, out = map(Path, sys.argv[1:])
try:
    EXPORTERS["ai-toolkit"].write(sample_config(pictures), run=run, out=out, options=USUAL)
except Exception as error:
    print(type(error).__name__, error)
"""


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def masked(images: Path) -> TrainingConfig:
    return changed(changed(sample_config(images), "dataset.masks", True), "dataset.mask_source", "files")


def recaption(run: Path, images: Path) -> None:
    """So that OneTrainer gets image folders of its own."""
    edit = PictureEdit((images / "picture-001.png").as_posix(), caption="foxgirl, laughing")
    append_change(RunFolder(run), "edit", [edit], files=scan(images))


def beside(picture: Path, name: str) -> Path:
    return picture.parent / name.format(picture.stem)


@pytest.mark.parametrize("linked", ["{}-masklabel.png", "{}.txt", "masks/{}.png"])
def test_masks_and_captions_that_are_links_into_an_export_stay_there(tmp_path: Path, linked: str) -> None:
    out, first, second = tmp_path / "out", tmp_path / "a", tmp_path / "b"
    for picture in make_pictures(first, 3, captions=True):
        shutil.copy(picture, beside(picture, "{}-masklabel.png"))
    recaption(tmp_path / "run-a", first)
    EXPORTERS["onetrainer"].write(masked(first), run=tmp_path / "run-a", out=out, options=COPY)
    shutil.rmtree(first)
    for picture in make_pictures(second, 3, captions=not linked.endswith(".txt")):
        ending = ".txt" if linked.endswith(".txt") else "-masklabel.png"
        beside(picture, linked).parent.mkdir(exist_ok=True)
        beside(picture, linked).symlink_to(out / "img" / "20_foxgirl" / f"{picture.stem}{ending}")
    recaption(tmp_path / "run-b", second)
    before = contents(out)

    for repeats in (20, 3):
        config = changed(masked(second), "dataset.repeats", repeats)
        with pytest.raises(RunError, match="is where the pictures themselves lie"):
            EXPORTERS["onetrainer"].write(config, run=tmp_path / "run-b", out=out, options=OVERWRITE)

    assert contents(out) == before


def test_masks_in_an_export_are_copies_since_they_are_painted_in(tmp_path: Path) -> None:
    pictures = make_pictures(tmp_path / "p", 3, captions=True)
    for picture in pictures:
        shutil.copy(picture, beside(picture, "{}-masklabel.png"))
    recaption(tmp_path / "run", tmp_path / "p")

    notes = EXPORTERS["onetrainer"].write(masked(tmp_path / "p"), run=tmp_path / "run", out=None, options=USUAL).notes

    folder = tmp_path / "run/exports/onetrainer/img/20_foxgirl"
    for picture in pictures:
        assert (folder / picture.name).stat().st_nlink == 2
        assert beside(folder / picture.name, "{}-masklabel.png").stat().st_nlink == 1
    assert not any("were copied" in note for note in notes)


@pytest.mark.parametrize("repeats", [20, 3])
@pytest.mark.parametrize("ending", ["-masklabel.png", ".txt"])
def test_masks_and_captions_that_are_gone_from_where_they_were_are_kept_in_the_export(
    tmp_path: Path, ending: str, repeats: int
) -> None:
    pictures = make_pictures(tmp_path / "p", 3, captions=True)
    for picture in pictures:
        shutil.copy(picture, beside(picture, "{}-masklabel.png"))
    recaption(tmp_path / "run", tmp_path / "p")

    def export(repeats: int) -> tuple[str, ...]:
        config = changed(masked(tmp_path / "p"), "dataset.repeats", repeats)
        return EXPORTERS["onetrainer"].write(config, run=tmp_path / "run", out=None, options=USUAL).notes

    export(20)
    for picture in pictures:
        beside(picture, "{}" + ending).unlink()
    notes = export(repeats)

    kept = sorted(path.name for path in (tmp_path / "run/exports/onetrainer/img").rglob("*.bak"))
    stems = [picture.stem for picture in pictures]
    if ending == ".txt":
        stems.remove("picture-001")  # its caption is an edit
    assert kept == [f"{stem}{ending}.bak" for stem in stems]
    assert any(f"{len(stems)} files of an earlier export" in note for note in notes)


@pytest.mark.parametrize("was_exported", [True, False])
@pytest.mark.parametrize("captions", [True, False])
def test_pictures_that_lie_at_a_second_place_are_known_there(
    tmp_path: Path, was_exported: bool, captions: bool
) -> None:
    pictures, out = tmp_path / "p", tmp_path / "out"
    make_pictures(pictures, 3, captions=captions)
    if was_exported:
        EXPORTERS["ai-toolkit"].write(sample_config(pictures), run=tmp_path / "run", out=out, options=COPY)
        shutil.rmtree(out / "img" / "20_foxgirl")
    (out / "img" / "20_foxgirl").mkdir(parents=True)
    before = contents(pictures)

    done = run_with_second_name(pictures, out / "img" / "20_foxgirl", EXPORT, pictures, tmp_path / "run", out)

    assert done.stdout.startswith("RunError"), done
    assert "is where the pictures themselves lie" in done.stdout
    assert contents(pictures) == before


def test_an_export_that_the_pictures_are_mounted_over_is_left_alone_where_they_were_exported_elsewhere_too(
    tmp_path: Path,
) -> None:
    pictures, other, out = tmp_path / "p", tmp_path / "other", tmp_path / "out"
    make_pictures(pictures, 3, captions=False)
    make_pictures(other, 3, captions=False, sizes=[(320, 256)])
    EXPORTERS["ai-toolkit"].write(sample_config(pictures), run=tmp_path / "run", out=out, options=USUAL)
    EXPORTERS["kohya-gui"].write(sample_config(pictures), run=tmp_path / "run", out=None, options=USUAL)
    before = contents(pictures)

    exported = out / "img" / "20_foxgirl"
    done = run_with_second_name(pictures, exported, EXPORT, other, tmp_path / "run-other", out)

    assert done.stdout.startswith("RunError"), done
    assert contents(pictures) == before


REFUSE = """
import sys
from pathlib import Path
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.own_folders import refuse_own_folders
from tests.support.samples import sample_config
try:
    refuse_own_folders(RunFolder(Path(sys.argv[2])), sample_config(sys.argv[1]))
except Exception as error:
    print(type(error).__name__, error)
"""


def test_originals_that_are_left_out_by_now_are_known_at_a_second_place_too(tmp_path: Path) -> None:
    pictures, out, run = tmp_path / "p", tmp_path / "out", tmp_path / "run"
    make_pictures(pictures / "2_a", 2, captions=False)
    left_out = make_pictures(pictures / "3_b", 2, captions=False)
    EXPORTERS["ai-toolkit"].write(sample_config(pictures), run=run, out=out, options=USUAL)
    edits = [PictureEdit(path.as_posix(), excluded="blurred") for path in left_out]
    append_change(RunFolder(run), "edit", edits, files=scan(pictures))
    (exported,) = (out / "img").glob("*_b")
    for path in exported.iterdir():
        path.unlink()
    before = contents(pictures)

    done = run_with_second_name(pictures / "3_b", exported, EXPORT, pictures, run, out)

    assert done.stdout.startswith("RunError"), done
    assert contents(pictures) == before


@pytest.mark.parametrize("inner", ["", "samples"])
def test_a_run_in_a_second_name_of_the_pictures_folder_is_refused(tmp_path: Path, inner: str) -> None:
    pictures, run = tmp_path / "p", tmp_path / "run"
    make_pictures(pictures, 1)
    (run / inner).mkdir(parents=True)

    done = run_with_second_name(pictures, run / inner, REFUSE, pictures, run)

    assert done.stdout.startswith("RunError"), done


def named(images: Path, *folders: str) -> TrainingConfig:
    found = [{"path": folder, "repeats": 1} for folder in folders]
    return sample_config(images, dataset={"folders": found, "only_folders": True})


def test_each_of_several_folders_of_pictures_is_only_read_and_what_lies_beside_them_is_free(tmp_path: Path) -> None:
    first, second = tmp_path / "all" / "one", tmp_path / "elsewhere" / "two"
    make_pictures(first, 2)
    make_pictures(second / "deep", 2)
    config = named(tmp_path / "all", "one", str(second))
    before = contents(tmp_path)

    for out in (first, first / "exports", second, second / "deep", second / "exports"):
        with pytest.raises(RunError, match="is where the pictures themselves lie"):
            EXPORTERS["ai-toolkit"].write(config, run=tmp_path / "run", out=out, options=OVERWRITE)
    assert contents(tmp_path) == before

    EXPORTERS["ai-toolkit"].write(config, run=tmp_path / "run", out=tmp_path / "all" / "out", options=USUAL)
    assert len(list((tmp_path / "all" / "out").rglob("*.png"))) == 4

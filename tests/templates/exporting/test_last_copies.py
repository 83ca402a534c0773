"""What an export may be the last to hold is kept, and what lies in one by now is never exported over."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from advisor.data_folder import data_folder
from advisor.errors import RunError
from advisor.settings.config import changed
from templates.exporters import EXPORTERS
from templates.exporting.exporter import USUAL, Export, ExportOptions
from tests.support.pictures import make_pictures
from tests.support.samples import sample_config

OVERWRITE, COPY = ExportOptions(overwrite=True), ExportOptions(copy=True)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def export(place: Path, images: str, out: Path, options: ExportOptions, *, repeats: int = 20) -> Export:
    config = changed(sample_config(place / images), "dataset.repeats", repeats)
    return EXPORTERS["ai-toolkit"].write(config, run=place / f"run-{images}", out=out, options=options)


def forget_stamps(notes: Path) -> None:
    """As versions wrote them that kept nothing of the pictures but their paths."""
    document = json.loads(notes.read_text("utf-8"))
    assert document["files"]
    for one in document["files"].values():
        one.pop("source_stamp", None)
    notes.write_text(json.dumps(document), "utf-8")


@pytest.mark.parametrize("options", [USUAL, COPY], ids=["links", "copies"])
def test_what_became_the_last_copies_is_kept_when_another_run_is_exported_there(
    tmp_path: Path, options: ExportOptions
) -> None:
    out = tmp_path / "out"
    for name in ("a", "b"):
        make_pictures(tmp_path / name, 3, captions=f"foxgirl, {name}", sizes=[(256 + ord(name), 256)])
    export(tmp_path, "a", out, options)
    files = {path.name: path.read_bytes().rstrip(b"\n") for path in (tmp_path / "a").iterdir()}
    shutil.rmtree(tmp_path / "a")

    notes = export(tmp_path, "b", out, options).notes

    assert {path.name.removesuffix(".bak"): path.read_bytes().rstrip() for path in out.rglob("*.bak")} == files
    assert any("6 files of an earlier export, whose pictures are gone from where they were, stay" in n for n in notes)


def test_captions_are_kept_where_their_picture_is_gone_and_has_a_second_name_elsewhere(tmp_path: Path) -> None:
    make_pictures(tmp_path / "a", 3, captions=True)
    make_pictures(tmp_path / "b", 3, captions=True, sizes=[(320, 256)])
    export(tmp_path, "a", tmp_path / "out", USUAL)
    shutil.copytree(tmp_path / "a", tmp_path / "backup", copy_function=os.link)
    captions = {path.read_bytes().rstrip() for path in (tmp_path / "a").glob("*.txt")}
    shutil.rmtree(tmp_path / "a")

    export(tmp_path, "b", tmp_path / "out", USUAL, repeats=3)

    assert {path.read_bytes().rstrip() for path in (tmp_path / "out").rglob("*.txt.bak")} == captions
    assert len(list((tmp_path / "out").rglob("*.png.bak"))) == 3


def test_pictures_that_were_moved_over_their_export_are_kept(tmp_path: Path) -> None:
    make_pictures(tmp_path / "a", 3, captions=True)
    make_pictures(tmp_path / "b", 3, captions=True, sizes=[(320, 256)])
    exported = tmp_path / "out" / "img" / "20_foxgirl"
    export(tmp_path, "a", tmp_path / "out", USUAL)
    shutil.copytree(exported, tmp_path / "elsewhere", copy_function=os.link)
    shutil.rmtree(exported)
    whole = {path.read_bytes().rstrip() for path in (tmp_path / "a").iterdir()}
    (tmp_path / "a").rename(exported)

    export(tmp_path, "b", tmp_path / "out", OVERWRITE, repeats=3)

    assert {path.read_bytes().rstrip() for path in (tmp_path / "out").rglob("*.bak*")} == whole


def test_what_became_the_last_copies_is_kept_where_several_pictures_are_one_file(tmp_path: Path) -> None:
    (first, *_) = make_pictures(tmp_path / "a", 3, captions=True)
    os.link(first, first.with_name("again.png"))
    export(tmp_path, "a", tmp_path / "out", USUAL)
    whole = {path.read_bytes() for path in (tmp_path / "a").glob("*.png")}
    shutil.rmtree(tmp_path / "a")
    make_pictures(tmp_path / "a", 3, captions=True, sizes=[(320, 256)])

    export(tmp_path, "a", tmp_path / "out", USUAL, repeats=3)

    assert {path.read_bytes() for path in (tmp_path / "out").rglob("*.png.bak")} == whole


@pytest.mark.parametrize("is_old", [False, True], ids=["", "exported by an earlier version"])
@pytest.mark.parametrize("options", [USUAL, COPY], ids=["links", "copies"])
def test_what_became_the_last_copies_is_kept_where_others_have_the_pictures_names_by_now(
    tmp_path: Path, options: ExportOptions, is_old: bool
) -> None:
    out = tmp_path / "out"
    make_pictures(tmp_path / "a", 3, captions="foxgirl, first")
    export(tmp_path, "a", out, options)
    if is_old:
        forget_stamps(data_folder() / "written.json")
    files = {path.name: path.read_bytes().rstrip(b"\n") for path in (tmp_path / "a").iterdir()}
    shutil.rmtree(tmp_path / "a")
    make_pictures(tmp_path / "a", 3, captions="foxgirl, second", sizes=[(320, 256)])

    notes = export(tmp_path, "a", out, options, repeats=3).notes

    assert {path.name.removesuffix(".bak"): path.read_bytes().rstrip() for path in out.rglob("*.bak")} == files
    assert any("6 files of an earlier export, whose pictures are gone from where they were, stay" in n for n in notes)


@pytest.mark.parametrize("options", [USUAL, COPY], ids=["links", "copies"])
def test_other_pictures_of_the_same_size_and_time_are_others(tmp_path: Path, options: ExportOptions) -> None:
    def frames(colour: int) -> dict[str, bytes]:
        shutil.rmtree(tmp_path / "a", ignore_errors=True)
        (tmp_path / "a").mkdir()
        for number in range(3):
            path = tmp_path / "a" / f"{number}.bmp"
            Image.new("RGB", (256, 256), (colour, number, 0)).save(path)
            path.with_suffix(".txt").write_text(f"foxgirl, {colour}", "utf-8")
            os.utime(path, (10**9, 10**9))
        return {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}

    first = frames(1)
    export(tmp_path, "a", tmp_path / "out", options)
    frames(200)
    export(tmp_path, "a", tmp_path / "out", options, repeats=3)

    kept = (tmp_path / "out").rglob("*.bak")
    assert {path.name.removesuffix(".bak"): path.read_bytes().rstrip() for path in kept} == first


@pytest.mark.parametrize("options", [USUAL, COPY], ids=["links", "copies"])
@pytest.mark.parametrize("whole", [True, False], ids=["the folder", "each file"])
@pytest.mark.parametrize("is_elsewhere", [False, True], ids=["", "exported elsewhere too"])
def test_nothing_is_exported_over_what_the_folder_of_the_pictures_is_a_link_to_by_now(
    tmp_path: Path, options: ExportOptions, whole: bool, is_elsewhere: bool
) -> None:
    pictures, other, exported = tmp_path / "a", tmp_path / "b", tmp_path / "out" / "img" / "20_foxgirl"
    make_pictures(pictures, 3, captions=True)
    make_pictures(other, 3, captions=True, sizes=[(320, 256)])
    export(tmp_path, "a", tmp_path / "out", options)
    if is_elsewhere:
        shutil.copytree(exported, tmp_path / "elsewhere", copy_function=os.link)
    before = {path.name: path.read_bytes() for path in exported.iterdir()}
    shutil.rmtree(pictures)
    if whole:
        pictures.symlink_to(exported)
    else:
        pictures.mkdir()
        for path in exported.iterdir():
            (pictures / path.name).symlink_to(path)

    with pytest.raises(RunError, match="is where the pictures themselves lie"):
        export(tmp_path, "b", tmp_path / "out", OVERWRITE, repeats=3)

    assert {path.name: path.read_bytes() for path in exported.iterdir()} == before


@pytest.mark.parametrize("options", [USUAL, COPY], ids=["links", "copies"])
def test_pictures_that_were_only_touched_are_no_others(tmp_path: Path, options: ExportOptions) -> None:
    make_pictures(tmp_path / "a", 3, captions=False)
    export(tmp_path, "a", tmp_path / "out", options)
    for path in (tmp_path / "a").iterdir():
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)

    export(tmp_path, "a", tmp_path / "out", options, repeats=3)

    assert not list((tmp_path / "out").rglob("*.bak"))


@pytest.mark.parametrize("options", [USUAL, COPY], ids=["links", "copies"])
def test_after_the_pictures_were_moved_an_export_leaves_nothing_behind(tmp_path: Path, options: ExportOptions) -> None:
    make_pictures(tmp_path / "a", 3, captions=True)
    export(tmp_path, "a", tmp_path / "out", options)
    (tmp_path / "a").rename(tmp_path / "moved")

    export(tmp_path, "moved", tmp_path / "out", options)

    assert not list((tmp_path / "out").rglob("*.bak"))


@pytest.mark.parametrize("options", [USUAL, COPY], ids=["links", "copies"])
def test_a_data_set_of_links_into_an_export_is_never_exported_over_it(tmp_path: Path, options: ExportOptions) -> None:
    out = tmp_path / "out"
    make_pictures(tmp_path / "a", 3, captions=True)
    export(tmp_path, "a", out, options)
    shutil.rmtree(tmp_path / "a")
    (tmp_path / "links").mkdir()
    for path in (out / "img" / "20_foxgirl").iterdir():
        (tmp_path / "links" / path.name).symlink_to(path)
    before = contents(out)

    with pytest.raises(RunError, match="is where the pictures themselves lie"):
        export(tmp_path, "links", out, OVERWRITE, repeats=3)
    assert contents(out) == before


def test_pictures_of_the_class_that_lie_in_an_export_are_never_exported_over(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for name in ("a", "b"):
        make_pictures(tmp_path / name, 3, captions=True)
    export(tmp_path, "a", out, COPY)
    shutil.rmtree(tmp_path / "a")
    before = contents(out)

    config = changed(sample_config(tmp_path / "b"), "dataset.regularization_images", str(out / "img" / "20_foxgirl"))
    config = changed(config, "dataset.repeats", 3)
    with pytest.raises(RunError, match="is where the pictures themselves lie"):
        EXPORTERS["ai-toolkit"].write(config, run=tmp_path / "run", out=out, options=OVERWRITE)
    assert contents(out) == before

"""Folders that a configuration names: these and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.dataset.buckets import repeats_of_folders
from advisor.dataset.scan import scan
from advisor.errors import DatasetError
from advisor.settings.config import DatasetConfig, NamedFolder
from tests.support.pictures import make_pictures
from tests.support.scans import codes, names


def named(path: str, repeats: int = 1, *, subfolders: bool = False, caption: str = "") -> NamedFolder:
    return NamedFolder(path=path, repeats=repeats, subfolders=subfolders, caption=caption)


def test_only_the_folders_that_are_named_are_looked_at(tmp_path: Path) -> None:
    make_pictures(tmp_path / "girl", 3)
    make_pictures(tmp_path / "girl" / "inner", 2)
    make_pictures(tmp_path / "5_class", 10)
    make_pictures(tmp_path, 4)

    report = scan(tmp_path, only=[named("girl")])

    assert names(report) == [f"girl/picture-00{number}.png" for number in (1, 2, 3)]
    assert report.only == (named("girl"),)


def test_a_named_folder_may_speak_for_those_below_it(tmp_path: Path) -> None:
    make_pictures(tmp_path / "girl", 1)
    make_pictures(tmp_path / "girl" / "3_inner", 2)
    make_pictures(tmp_path / "girl" / "own", 1)

    report = scan(tmp_path, only=[named("girl", 4, subfolders=True), named("girl/own", 7)])

    assert [(one.path, one.num_images, one.repeats) for one in report.folders] == [
        ("girl", 1, 4),
        ("girl/3_inner", 2, 4),
        ("girl/own", 1, 7),
    ]


def test_captions_are_what_the_configuration_says_and_not_what_names_do(tmp_path: Path) -> None:
    make_pictures(tmp_path / "10_mira", 1, captions=False)
    make_pictures(tmp_path / "10_class", 1, captions=False)

    report = scan(tmp_path, only=[named("10_mira", 10, caption="mira girl"), named("10_class", 2)])

    assert [(one.repeats, one.concept) for one in report.folders] == [(10, "mira girl"), (2, "")]


def test_folders_on_other_disks_are_named_by_their_whole_path(tmp_path: Path) -> None:
    make_pictures(tmp_path / "one", 1)
    make_pictures(tmp_path / "two" / "deep", 2)
    dataset = DatasetConfig(
        images=str(tmp_path / "one"), only_folders=True, folders=(named(".", 3), named(str(tmp_path / "two/deep"), 5))
    )

    report = scan(tmp_path / "one", only=dataset.named_folders)

    assert [folder.num_images for folder in report.folders] == [1, 2]
    assert repeats_of_folders(report.folders, dataset) == (3, 5)
    assert all((Path(report.root) / image.path).is_file() for image in report.image_files)


def test_a_named_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    make_pictures(tmp_path / "girl", 1)

    assert codes(scan(tmp_path, only=[named("girl"), named("gril")])) == {"gril": "missing_folder"}
    with pytest.raises(DatasetError, match=r"the folders named for .* hold no pictures"):
        scan(tmp_path, only=[named("gril")])


def test_a_run_folder_below_a_named_one_is_left_out(tmp_path: Path) -> None:
    make_pictures(tmp_path / "girl", 1)
    make_pictures(tmp_path / "girl" / "run" / "exports", 2)
    (tmp_path / "girl" / "run" / "loracle.toml").write_text("")

    assert scan(tmp_path, only=[named("girl", subfolders=True)]).num_images == 1

"""Pictures in a run's own folders are refused by every command that reads them, since the run writes there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from advisor.errors import RunError
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.own_folders import refuse_own_folders
from advisor.run_folder.pictures.run_dataset import run_dataset
from advisor.settings.config import changed
from tests.support.pictures import make_pictures
from tests.support.runs import write_toml
from tests.support.samples import sample_config


@pytest.mark.parametrize("place", [".", "images", "samples/chosen", "grid"])
@pytest.mark.parametrize("is_link", [False, True])
def test_a_configuration_put_there_by_hand_is_refused(tmp_path: Path, place: str, is_link: bool) -> None:
    run = tmp_path / "run"
    make_pictures(run / place, 2)
    given = run / place
    if is_link:
        given = tmp_path / "link"
        given.symlink_to(run / place)
    write_toml(run / "loracle.toml", sample_config(given))

    with pytest.raises(RunError, match=r"is the folder of the pictures|writes into its folder"):
        run_dataset(RunFolder(run))


def test_pictures_of_the_class_count_and_those_beside_do_not(tmp_path: Path) -> None:
    run, config = RunFolder(tmp_path / "run"), sample_config(tmp_path / "run" / "pictures")
    refuse_own_folders(run, config)

    with pytest.raises(RunError, match="writes into its folder cache"):
        refuse_own_folders(run, changed(config, "dataset.regularization_images", os.fspath(run.path / "cache")))


@pytest.mark.parametrize("setting", ["folders", "regularization_folders"])
def test_each_of_several_folders_is_looked_at(tmp_path: Path, setting: str) -> None:
    run, group = RunFolder(tmp_path / "run"), dict[str, Any]({setting: [{"path": "../run/samples", "repeats": 1}]})
    group |= {"only_folders": True, "regularization_images": str(tmp_path / "p")}
    config = sample_config(tmp_path / "p", dataset=group)

    with pytest.raises(RunError, match="writes into its folder samples"):
        refuse_own_folders(run, config)


def test_a_run_among_its_pictures_is_none_of_them_whatever_its_configuration_is_called(tmp_path: Path) -> None:
    make_pictures(tmp_path / "p", 2)
    run = tmp_path / "p" / "run"
    make_pictures(run / "exports" / "img" / "20_a", 3)
    write_toml(run / "mine.toml", sample_config(tmp_path / "p"))

    data = run_dataset(RunFolder.given(run / "mine.toml"))

    assert [image.path for image in data.report.image_files] == ["picture-001.png", "picture-002.png"]

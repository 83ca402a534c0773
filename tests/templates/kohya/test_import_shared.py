from __future__ import annotations

from advisor.settings.config import NamedFolder
from tests.support.given_files import GivenFiles
from tests.templates.kohya.test_import_gui import imported


def test_folders_tell_repeats_and_trigger() -> None:
    found = imported(GivenFiles({"/img": {"20_foxgirl": 30}}), train_data_dir="/img")

    assert found.settings["dataset.images"] == "/img"
    assert found.settings["dataset.repeats"] == 20
    assert found.settings["run.trigger"] == "foxgirl"


def test_folders_with_their_own_repeats_keep_them() -> None:
    found = imported(GivenFiles({"/img": {"20_fox": 30, "5_fox girl": 8, "0_out": 3, "7": 1}}), train_data_dir="/img")

    assert found.settings["dataset.folders"] == (
        _folder("20_fox", 20, "fox"),
        _folder("5_fox girl", 5, "fox girl"),
        _folder("7", 7, ""),
    )
    assert found.settings["dataset.only_folders"] is True


def _folder(path: str, repeats: int, caption: str) -> object:
    return NamedFolder(path=path, repeats=repeats, subfolders=False, caption=caption)


def test_the_trigger_is_the_first_word_of_a_folders_name_and_its_pictures_without_captions_show_all_of_it() -> None:
    found = imported(GivenFiles({"/img": {"10_zephyrine girl": 3}}), train_data_dir="/img")

    assert found.settings["run.trigger"] == "zephyrine"
    assert found.settings["dataset.folders"] == (_folder("10_zephyrine girl", 10, "zephyrine girl"),)


def test_class_pictures_lie_in_numbered_folders_too() -> None:
    local = GivenFiles({"/img": {"10_a": 3}, "/reg": {"1_girl": 5}})

    found = imported(local, train_data_dir="/img", reg_data_dir="/reg")

    assert found.settings["dataset.regularization_images"] == "/reg"
    assert found.settings["dataset.regularization_folders"] == (_folder("1_girl", 1, "girl"),)


def test_folders_that_are_elsewhere_cannot_tell_their_repeats_and_that_is_told() -> None:
    found = imported(train_data_dir="/img")

    (line,) = [line for line in found.lines if line.key == "train_data_dir"]
    assert "import it where it is" in line.note
    assert "dataset.only_folders" not in found.settings

from __future__ import annotations

from pathlib import Path

from templates.exporting.paths import absolute, located, located_model, located_posix


def test_a_relative_path_begins_at_the_run_folder(tmp_path: Path) -> None:
    assert located("../images", tmp_path / "run") == tmp_path / "images"
    assert located(str(tmp_path / "images"), tmp_path / "run") == tmp_path / "images"


def test_a_path_of_another_system_stays_as_it_is(tmp_path: Path) -> None:
    assert str(located("C:\\images\\fox", tmp_path)) == "C:\\images\\fox"


def test_a_path_that_is_not_given_is_empty(tmp_path: Path) -> None:
    assert located_posix(None, tmp_path) == ""
    assert located_posix("", tmp_path) == ""
    assert located_posix("vae", tmp_path) == (tmp_path / "vae").as_posix()


def test_a_name_on_the_hub_stays_a_name_unless_such_a_folder_is_here(tmp_path: Path) -> None:
    assert located_model("owner/model", tmp_path) == "owner/model"
    (tmp_path / "owner" / "model").mkdir(parents=True)
    assert located_model("owner/model", tmp_path) == str(tmp_path / "owner" / "model")
    assert located_model("base.safetensors", tmp_path) == str(tmp_path / "base.safetensors")


def test_links_stay_links(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")

    assert absolute(tmp_path / "link" / ".." / "link") == tmp_path / "link"

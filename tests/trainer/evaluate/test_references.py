from __future__ import annotations

from pathlib import Path

import pytest

from advisor.errors import DatasetError
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.held_out import HeldOut
from tests.support.pictures import make_pictures
from tests.support.runs import make_config
from trainer.data.image_files import content_digest
from trainer.evaluate.references import MOST, References, read_reference


def test_held_out_pictures_are_none_that_were_trained_on(tmp_path: Path) -> None:
    config = make_config(tmp_path, pictures=12, validation__share=0.4)

    found = References.of_run(tmp_path / "run", config)

    assert len(found.held_out) == 5
    assert {item.path for item in found.held_out}.isdisjoint(item.path for item in found.trained)
    assert len(found.held_out) + len(found.trained) == 12


def test_the_split_that_the_run_keeps_is_the_one_that_counts(tmp_path: Path) -> None:
    config = make_config(tmp_path, pictures=12, validation__share=0.4)
    contents = {path: content_digest(path) for path in sorted((tmp_path / "pictures").glob("*.png"))}
    kept = sorted(contents.values())
    RunFolder(tmp_path / "run").write_held_out(
        HeldOut(seed=42, share=0.4, held_out=tuple(kept[:5]), trained=tuple(kept[5:]))
    )

    found = References.of_run(tmp_path / "run", config)

    assert {contents[item.path] for item in found.held_out} == set(kept[:5])
    assert {contents[item.path] for item in found.trained} == set(kept[5:])


def test_pictures_are_read_at_the_size_that_they_are_trained_at(tmp_path: Path) -> None:
    found = References.of_run(tmp_path / "run", make_config(tmp_path))

    sizes = [tuple(read_reference(item).shape) for item in found.trained]

    assert sizes == [(3, item.bucket[1], item.bucket[0]) for item in found.trained]


def test_of_a_large_set_some_are_looked_at_from_all_of_it(tmp_path: Path) -> None:
    found = References.of_run(tmp_path / "run", make_config(tmp_path, pictures=2 * MOST + 1))

    assert len(found.trained) == len({item.path for item in found.trained}) == MOST
    assert found.trained[0].index == 0
    assert found.trained[-1].index >= 2 * MOST - 2


def test_pictures_of_another_folder_are_none_that_were_trained_on(tmp_path: Path) -> None:
    make_pictures(tmp_path / "real", 3)

    found = References.of_folder(tmp_path / "real", make_config(tmp_path, validation__share=0.4))

    assert {item.path.parent for item in found.held_out} == {tmp_path / "real"}
    assert len(found.held_out) == 3
    assert found.trained == ()


def test_a_folder_without_pictures_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(DatasetError, match="empty"):
        References.of_folder(tmp_path / "empty", make_config(tmp_path))

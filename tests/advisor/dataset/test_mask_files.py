"""Masks are never trained as pictures, also where their pictures are gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.dataset.scan import scan
from tests.support.pictures import make_pictures


def names(folder: Path) -> list[str]:
    return [image.path for image in scan(folder).image_files]


def lone(folder: Path) -> list[str]:
    return [problem.path for problem in scan(folder).problems if problem.code == "lone_mask"]


@pytest.mark.parametrize("mask", ["masks/{}.png", "{}-masklabel.png"])
def test_a_mask_whose_picture_is_gone_is_told_and_not_trained(tmp_path: Path, mask: str) -> None:
    pictures = make_pictures(tmp_path, 3, captions=True)
    (tmp_path / "masks").mkdir()
    masks = [tmp_path / mask.format(picture.stem) for picture in pictures]
    for picture, path in zip(pictures, masks, strict=True):
        path.write_bytes(picture.read_bytes())
    assert (names(tmp_path), lone(tmp_path)) == ([picture.name for picture in pictures], [])

    pictures[1].unlink()

    assert names(tmp_path) == ["picture-001.png", "picture-003.png"]
    assert lone(tmp_path) == [mask.format("picture-002")]


def test_a_folder_of_that_name_with_other_pictures_is_one_of_pictures(tmp_path: Path) -> None:
    for picture in make_pictures(tmp_path, 3):
        (tmp_path / "masks").mkdir(exist_ok=True)
        (tmp_path / "masks" / f"venetian {picture.name}").write_bytes(picture.read_bytes())

    assert len(names(tmp_path)) == 6
    assert lone(tmp_path) == []

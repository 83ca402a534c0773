"""Names of images in exports: neither they nor the files beside them have longer ones than file systems take."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.dataset.mask_files import MASK_EXTENSION, MASK_SUFFIX
from advisor.dataset.report import CAPTION_EXTENSIONS, DatasetReport, Folder, ImageFile, PictureCrop
from advisor.run_folder.written import WrittenFiles
from templates.exporting.image_folders import MOST_NAME_BYTES, PlacedFolder, placed_folders
from templates.exporting.image_links import LinkFolder
from tests.support.pictures import draw_picture
from tests.support.special_files import on_posix

LONG = ("n" * 251 + ".png", "n" * 250 + ".jpeg", "é" * 125 + ".png", "n" * 200 + "狐" * 17 + ".png")


def placed(root: Path, *names: str, mask: Path | None = None) -> PlacedFolder:
    images = tuple(ImageFile(name, 64, 64, 0, caption="mira") for name in names)
    report = DatasetReport(str(root), images, (Folder(".", len(images)),))
    (folder,) = placed_folders(report, (1,), concept="mira", mask_of=lambda _: mask)
    return folder


@pytest.mark.parametrize("name", LONG)
def test_a_name_leaves_room_for_the_caption_and_the_mask_beside_it(tmp_path: Path, name: str) -> None:
    (image,) = placed(tmp_path, name, mask=tmp_path / "mask.png").images

    endings = (*CAPTION_EXTENSIONS, MASK_SUFFIX + MASK_EXTENSION, Path(name).suffix)
    assert max(len(f"{image.stem}{ending}".encode()) for ending in endings) <= MOST_NAME_BYTES
    assert image.name.endswith(Path(name).suffix)


@pytest.mark.parametrize("ending", [".jpg", ".PNG"])
def test_no_picture_takes_the_name_of_anothers_mask(tmp_path: Path, ending: str) -> None:
    crop = PictureCrop((0, 0, 64, 64), (128, 128))
    images = (
        ImageFile(f"1-masklabel{ending}", 64, 64, 0, caption="mira", crop=crop),
        ImageFile("1.png", 64, 64, 0, caption="mira"),
    )
    report = DatasetReport(str(tmp_path), images, (Folder(".", 2),))

    (folder,) = placed_folders(report, (1,), concept="mira", mask_of=lambda source: source.with_suffix(".mask"))

    assert [image.name for image in folder.images] == ["1-masklabel-2.png", "1.png"]


def test_cut_names_stay_different(tmp_path: Path) -> None:
    images = placed(tmp_path, *("n" * 248 + f"{number}.png" for number in range(12))).images

    assert len({image.stem for image in images}) == 12
    assert max(len(image.name) for image in images) <= MOST_NAME_BYTES


def test_a_name_that_leaves_room_stays_as_it_is(tmp_path: Path) -> None:
    (image,) = placed(tmp_path, "n" * 247 + ".png").images

    assert image.name == "n" * 247 + ".png"


@on_posix
@pytest.mark.parametrize("ending", CAPTION_EXTENSIONS)
def test_images_of_the_longest_names_are_exported_with_their_captions(tmp_path: Path, ending: str) -> None:
    name = "n" * 251 + ".png"
    draw_picture(tmp_path / name, (64, 64))
    folder, links = placed(tmp_path, name), LinkFolder(tmp_path / "run/exports/img")
    links.root.mkdir(parents=True)

    links.fill([folder], ending, WrittenFiles(tmp_path / "run"))

    (image,) = folder.images
    assert (links.root / folder.name / f"{image.stem}{ending}").read_text() == "mira\n"

"""The doctor on folders in which everything is wrong, and on clean ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from advisor.dataset.doctor.examine import Waiver, examine, waived
from advisor.dataset.doctor.finding import Finding
from tests.support.clean_styles import STYLES
from tests.support.hostile_mix import SIDE, hostile_mix
from tests.support.hostile_pictures import clean_folder, hostile_folder
from tests.support.measured import folder_facts, found_in
from tests.support.paths import REPOSITORY
from tests.support.pictures import scene

DEMO = REPOSITORY / "trainer" / "assets" / "demo"


def test_everything_that_is_wrong_is_found_and_nothing_else(tmp_path: Path) -> None:
    expected = hostile_folder(tmp_path / "pictures")

    found = dict[str, set[str]]()
    for finding in examine(folder_facts(tmp_path / "pictures", trigger="mia")):
        found.setdefault(finding.code, set()).update(finding.files)

    assert found == expected


def test_of_500_pictures_with_several_things_wrong_each_is_found_and_no_other(tmp_path: Path) -> None:
    expected = hostile_mix(tmp_path / "pictures")

    found = dict[str, set[str]]()
    facts = folder_facts(tmp_path / "pictures", trigger="mia", resolution_px=SIDE)
    for finding in examine(facts):
        found.setdefault(finding.code, set()).update(finding.files)

    assert len(list((tmp_path / "pictures").rglob("*.*"))) > 500
    assert len(expected) == 33
    assert found == {**expected, "repeats_unbalanced": set()}


@pytest.mark.parametrize("folder", ["character", "class", "held_out"])
def test_the_demos_pictures_are_clean(folder: str) -> None:
    assert found_in(DEMO / folder, resolution_px=128) == {}


def test_drawings_and_photographs_of_any_shape_are_clean(tmp_path: Path) -> None:
    assert found_in(clean_folder(tmp_path / "png", 16, seed=1)) == {}
    assert found_in(clean_folder(tmp_path / "jpeg", 24, seed=2, extension=".jpg")) == {}
    many = clean_folder(tmp_path / "shapes", 24, seed=3)
    for index, path in enumerate(sorted(many.glob("*.png"))):
        scene(index + 9000, ((512, 512), (768, 1024), (1216, 832))[index % 3]).save(path)
    assert found_in(many) == {}


@pytest.mark.parametrize("style", STYLES)
def test_clean_folders_of_any_style_have_no_finding(style: str, tmp_path: Path) -> None:
    draw, extension = STYLES[style]
    folder = clean_folder(tmp_path / "pictures", 20, extension=extension)
    for index, path in enumerate(sorted(folder.glob(f"*{extension}"))):
        draw(index + 40_000, ((512, 512), (512, 768), (768, 512), (1216, 1088))[index % 4]).save(path, quality=92)

    assert found_in(folder) == {}


def test_a_framed_white_ground_is_no_border_and_a_plain_one_no_blur(tmp_path: Path) -> None:
    folder = clean_folder(tmp_path / "white", 12, seed=4)
    for path in folder.glob("*.png"):
        with Image.open(path) as image:
            ground = Image.new("RGB", (512, 512), "white")
            figure = image.resize((300, 300))
            mask = Image.new("L", (300, 300), 0)
            mask.paste(255, (40, 0, 200, 300))
            mask.paste(255, (0, 120, 300, 180))
            ground.paste(figure, (100, 150), mask)
        ground.save(path)

    assert list(found_in(folder)) == ["same_ground"]


def test_a_waiver_is_for_a_file_or_for_all() -> None:
    finding = Finding("blurred", "warning", ("a.png", "b.png"), "two", "mend")

    assert tuple(waived(finding, [Waiver("border", "", "so")])) == (finding,)
    assert tuple(waived(finding, [Waiver("blurred", "", "so")])) == (
        Finding("blurred", "warning", ("a.png", "b.png"), "two", "mend", waived=True),
    )
    assert tuple(waived(finding, [Waiver("blurred", "b.png", "so")])) == (
        Finding("blurred", "warning", ("b.png",), "two", "mend", waived=True),
        Finding("blurred", "warning", ("a.png",), "two; 1 of them waived", "mend"),
    )

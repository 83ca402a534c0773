"""Which pictures show the same, and which only look alike."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance, ImageOps

from advisor.dataset.near_duplicates import match
from advisor.dataset.near_duplicates.fingerprint import Fingerprint, fingerprint, read_fingerprint
from advisor.dataset.near_duplicates.match import Match, groups, matches
from tests.support.paths import REPOSITORY
from tests.support.pictures import draw_picture, scene

DEMO = REPOSITORY / "trainer" / "assets" / "demo"


@pytest.fixture
def scenes() -> list[Image.Image]:
    return [scene(seed) for seed in range(6)]


def as_jpeg(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def cut(image: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    width, height = image.size
    return image.crop((round(left * width), round(top * height), round(right * width), round(bottom * height)))


ALTERED: dict[str, Callable[[Image.Image], Image.Image]] = {
    "the same": lambda image: image,
    "as a poor JPEG": lambda image: as_jpeg(image, 30),
    "at half its size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "twice as large": lambda image: image.resize((image.width * 2, image.height * 2)),
    "squeezed a little": lambda image: image.resize((image.width, round(image.height * 0.96))),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.08),
    "without its margins": lambda image: cut(image, 0.06, 0.05, 0.97, 0.94),
    "its left side": lambda image: cut(image, 0, 0, 0.7, 1),
    "its middle": lambda image: cut(image, 0.12, 0.12, 0.87, 0.87),
    "cropped and poor": lambda image: as_jpeg(cut(image, 0.1, 0, 0.9, 0.85), 50),
}


@pytest.mark.parametrize("altered", ALTERED.values(), ids=ALTERED)
@pytest.mark.parametrize("mirrored", [False, True])
def test_an_altered_picture_is_found_among_others(
    altered: Callable[[Image.Image], Image.Image], mirrored: bool, scenes: list[Image.Image]
) -> None:
    copy = altered(scenes[2])
    pictures = [*scenes, ImageOps.mirror(copy) if mirrored else copy]

    (found,) = matches([fingerprint(one) for one in pictures])

    assert {found.first, found.second} == {2, 6}
    assert found.mirrored == mirrored


def test_of_a_crop_the_one_that_shows_more_comes_first_with_the_share_that_both_show(
    scenes: list[Image.Image],
) -> None:
    crop = cut(scenes[0], 0.1, 0.1, 0.9, 0.9)

    (found,) = matches([fingerprint(crop), fingerprint(scenes[0])])

    assert (found.first, found.second, found.mirrored) == (1, 0, False)
    assert found.share == pytest.approx(0.64, abs=0.04)


def test_a_face_out_of_a_picture_is_another_picture(scenes: list[Image.Image]) -> None:
    assert matches([fingerprint(scenes[0]), fingerprint(cut(scenes[0], 0.25, 0.25, 0.75, 0.75))]) == ()


@pytest.mark.parametrize("folder", ["character", "class", "held_out"])
def test_drawings_that_differ_in_face_and_ground_alone_are_no_copies(folder: str) -> None:
    prints = [read_fingerprint(path) for path in sorted((DEMO / folder).glob("*.png"))]

    assert len(prints) >= 8
    assert matches(prints) == ()


def test_the_same_form_in_other_colours_is_no_copy(tmp_path: Path) -> None:
    prints = [read_fingerprint(draw_picture(tmp_path / f"{seed}.png", seed=seed)) for seed in range(8)]

    assert matches(prints) == ()


def test_plain_pictures_are_no_copies() -> None:
    assert matches([fingerprint(Image.new("RGB", (64, 64), colour)) for colour in ("red", "red", "blue")]) == ()


def test_a_symmetric_picture_is_no_mirrored_one(tmp_path: Path) -> None:
    one = read_fingerprint(draw_picture(tmp_path / "a.png"))

    assert matches([one, one]) == (Match(0, 1, mirrored=False, share=1.0),)


def test_one_picture_or_none_has_no_copy(scenes: list[Image.Image]) -> None:
    assert matches([]) == ()
    assert matches([fingerprint(scenes[0])]) == ()


def test_in_a_large_set_whole_pictures_alone_are_compared(
    scenes: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(match, "MOST_FOR_CROPS", 5)
    small, crop = scenes[0].resize((100, 90)), cut(scenes[1], 0, 0, 0.75, 0.75)

    found = matches([fingerprint(one) for one in (*scenes, small, crop)])

    assert [(one.first, one.second) for one in found] == [(0, 6)]


def test_the_order_of_the_pictures_changes_nothing(scenes: list[Image.Image]) -> None:
    prints = [fingerprint(one) for one in (*scenes[:3], scenes[0].resize((200, 160)), cut(scenes[1], 0, 0, 0.8, 1))]

    def named(order: list[Fingerprint]) -> set[frozenset[int]]:
        place = {id(one): index for index, one in enumerate(prints)}
        return {frozenset({place[id(order[one.first])], place[id(order[one.second])]}) for one in matches(order)}

    assert named(prints) == named(prints[::-1]) == {frozenset({0, 3}), frozenset({1, 4})}


def test_groups_join_what_pairs_join() -> None:
    assert groups(6, [(4, 2), (2, 0), (5, 5)]) == ((0, 2, 4), (1,), (3,), (5,))
    assert groups(0, []) == ()


def test_a_jpeg_that_is_decoded_smaller_has_the_same_copy(scenes: list[Image.Image], tmp_path: Path) -> None:
    large = scenes[0].resize((2400, 2000), Image.Resampling.BICUBIC)
    large.save(tmp_path / "large.jpg", quality=90)

    found = matches([read_fingerprint(tmp_path / "large.jpg"), fingerprint(scenes[0])])

    assert len(found) == 1
    assert found[0].share == 1.0


def test_a_fingerprint_is_of_the_picture_as_it_is_shown(tmp_path: Path) -> None:
    path = draw_picture(tmp_path / "a.jpg", (200, 100), orientation=6)

    one = read_fingerprint(path)

    assert (one.width_px, one.height_px) == (100, 200)


def test_a_folder_of_copies_alone_is_one_group_and_takes_no_time() -> None:
    one = fingerprint(scene(1))

    found = matches([one] * 300)

    assert len(groups(300, [(match.first, match.second) for match in found])) == 1
    assert len(found) < 300 * 7

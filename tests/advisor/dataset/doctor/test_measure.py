from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from advisor.dataset.doctor.measure import measure
from advisor.dataset.doctor.pixel_facts import PixelFacts, as_plain, from_text
from advisor.dataset.doctor.pixel_measures import Grey, blur, jpeg_blocks
from advisor.dataset.doctor.side_bars import bars, panels
from tests.support.pictures import draw_picture, scene


def grey(image: Image.Image) -> Grey:
    return np.asarray(image.convert("L"))


def blur_of(image: Image.Image) -> float | None:
    return blur(image.convert("L"), grey(image.reduce(2)))


def blocks_of(image: Image.Image) -> float:
    return jpeg_blocks(image.convert("L"))


def bars_of(image: Image.Image, step: int = 1) -> tuple[int, int, int, int]:
    return bars(image.convert("L"), grey(image.reduce(step)), step)


def as_jpeg(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


@pytest.mark.parametrize("seed", range(5))
def test_blur_grows_with_the_radius_and_passes_the_threshold_at_two_pixels(seed: int) -> None:
    sharp = scene(seed, (512, 512))

    found = [blur_of(sharp.filter(ImageFilter.GaussianBlur(radius))) for radius in (0, 1, 2, 3)]

    assert None not in found
    assert found == sorted(found, key=lambda one: one or 0)
    assert found[0] is not None
    assert found[0] < 0.2
    assert found[2] is not None
    assert found[2] > 0.58


def test_a_sharp_part_before_a_blurred_ground_is_sharp() -> None:
    picture = scene(1, (512, 512)).filter(ImageFilter.GaussianBlur(6))
    picture.paste(scene(2, (160, 160)), (180, 180))

    found = blur_of(picture)

    assert found is not None
    assert found < 0.25


def test_a_plain_picture_has_no_blur() -> None:
    assert blur_of(Image.new("RGB", (300, 300), "red")) is None
    assert blur_of(Image.new("RGB", (8, 8))) is None


@pytest.mark.parametrize("seed", range(4))
def test_jpeg_blocks_show_at_low_quality_alone(seed: int) -> None:
    picture = scene(seed, (512, 512)).filter(ImageFilter.GaussianBlur(1))

    assert blocks_of(picture) < 0.9
    assert blocks_of(as_jpeg(picture, 85)) < 0.9
    assert blocks_of(as_jpeg(picture, 8)) > 1.6


@pytest.mark.parametrize("quality", [8, 92])
def test_jpeg_blocks_show_in_a_picture_that_is_decoded_at_a_half(quality: int, tmp_path: Path) -> None:
    scene(3, (1200, 1104)).filter(ImageFilter.GaussianBlur(2)).save(tmp_path / "a.jpg", quality=quality)

    blocks = measure(tmp_path / "a.jpg").blocks

    assert blocks is not None
    assert (blocks > 1.6) == (quality == 8)


def test_an_edge_on_the_border_of_blocks_is_no_block() -> None:
    ground = Image.new("RGB", (448, 574), "#c8d0d8")
    ground.paste(scene(60_005, (200, 280)), (120, 0))

    assert blocks_of(ground) < 0.5


def test_enlarged_pixel_art_has_no_jpeg_blocks() -> None:
    picture = scene(1, (64, 64)).resize((512, 512), Image.Resampling.NEAREST)

    assert blocks_of(picture) == 0


def test_bars_have_straight_edges() -> None:
    film = Image.new("RGB", (400, 300))
    film.paste(scene(3, (400, 220)), (0, 40))
    tall = Image.new("RGB", (300, 300), "white")
    tall.paste(scene(5, (200, 300)), (60, 0))

    assert bars_of(film) == (0, 40, 0, 40)
    assert bars_of(tall) == (60, 0, 40, 0)
    assert bars_of(Image.new("RGB", (100, 100))) == (0, 0, 0, 0)


@pytest.mark.parametrize("step", [1, 3, 4])
def test_bars_are_measured_to_the_pixel_where_they_are_found_in_a_small_copy(step: int) -> None:
    framed = Image.new("RGB", (900, 700), "black")
    framed.paste(scene(7, (838, 623)), (31, 47))

    assert bars_of(framed, step) == (31, 47, 31, 30)


def test_a_programs_bar_has_signs_in_it_and_a_straight_edge() -> None:
    screenshot = scene(8, (540, 960))
    pen = ImageDraw.Draw(screenshot)
    pen.rectangle((0, 0, 540, 56), fill="white")
    pen.text((24, 16), "9:41   Gallery", fill="black", font_size=22)
    pen.text((440, 16), "5G 80%", fill="black", font_size=22)
    plain = scene(8, (540, 960))
    ImageDraw.Draw(plain).rectangle((0, 0, 540, 56), fill="white")

    top, bottom = panels(grey(screenshot.reduce(2)))

    assert top == pytest.approx(57 / 960, abs=0.005)
    assert bottom == 0
    assert panels(grey(plain.reduce(2))) == (0, 0)
    assert panels(grey(scene(8, (540, 960)).reduce(2))) == (0, 0)


def test_what_is_measured_of_a_picture(tmp_path: Path) -> None:
    found = measure(draw_picture(tmp_path / "a.jpg", (200, 100), orientation=6))

    assert (found.decoding, found.format, found.mode, found.is_turned) == ("whole", "JPEG", "RGB", True)
    assert (found.width_px, found.height_px) == (100, 200)


def test_a_large_jpeg_is_decoded_smaller_and_told_at_its_size(tmp_path: Path) -> None:
    film = Image.new("RGB", (4200, 3000))
    film.paste(scene(3, (4200, 2400)), (0, 300))
    film.save(tmp_path / "film.jpg", quality=92)

    found = measure(tmp_path / "film.jpg")

    assert (found.width_px, found.height_px, found.blocks) == (4200, 3000, None)
    assert found.bars[1] == pytest.approx(300, abs=4)
    assert found.bars[3] == pytest.approx(300, abs=4)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP"])
def test_a_file_whose_end_is_missing_is_truncated(kind: str, tmp_path: Path) -> None:
    file = io.BytesIO()
    scene(1).save(file, kind)
    (tmp_path / "half").write_bytes(file.getvalue()[: len(file.getvalue()) // 2])

    assert measure(tmp_path / "half").decoding == "truncated"


def test_a_file_that_is_gone_or_no_picture_is_broken(tmp_path: Path) -> None:
    (tmp_path / "page.png").write_bytes(b"<html>")

    assert measure(tmp_path / "page.png").decoding == measure(tmp_path / "gone.png").decoding == "broken"


def test_facts_are_written_and_read_alike(tmp_path: Path) -> None:
    facts = measure(draw_picture(tmp_path / "a.png"))

    assert from_text(json.dumps(as_plain(facts)).encode()) == facts
    assert from_text(json.dumps(as_plain(PixelFacts("broken", why="so"))).encode()) == PixelFacts("broken", why="so")


@pytest.mark.parametrize(
    "change", [{"cells": "!"}, {"cells": ""}, {"bars": [1]}, {"blur": "x"}, {"width_px": "3"}, {"more": 1}]
)
def test_damaged_facts_are_none(change: dict[str, object], tmp_path: Path) -> None:
    plain = as_plain(measure(draw_picture(tmp_path / "a.png"))) | change

    assert from_text(json.dumps(plain).encode()) is None
    assert from_text(b"{") is None
    assert from_text(b"[]") is None

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from advisor.errors import DatasetError
from advisor.run_folder.pictures.tag_request import PictureToTag
from trainer.tagging.pictures import Pixels, square_pixels

RED, WHITE = (255, 0, 0), (255, 255, 255)


def pixels(path: Path, crop: tuple[int, int, int, int] | None = None, side: int = 32) -> Pixels:
    return square_pixels(PictureToTag(path=str(path), crop=crop), side)


def test_a_picture_lies_in_the_middle_of_white_with_blue_first(tmp_path: Path) -> None:
    Image.new("RGB", (32, 16), RED).save(tmp_path / "a.png")

    found = pixels(tmp_path / "a.png")

    assert found.shape == (32, 32, 3)
    assert found[:8].min() == 255
    assert found[24:].min() == 255
    assert (found[8:24] == (0, 0, 255)).all()


def test_what_is_transparent_lies_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (20, 20), (255, 0, 0, 0)).save(tmp_path / "a.png")

    assert (pixels(tmp_path / "a.png") == 255).all()


def test_it_is_turned_upright_as_its_camera_says(tmp_path: Path) -> None:
    image = Image.new("RGB", (32, 32), RED)
    image.paste(WHITE, (0, 0, 32, 16))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    image.save(tmp_path / "a.png", exif=exif)

    found = pixels(tmp_path / "a.png")

    assert (found[:16] == (0, 0, 255)).all()
    assert found[16:].min() == 255


def test_the_first_frame_of_an_animation_is_taken(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in (RED, (0, 255, 0))]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], lossless=True)

    assert (pixels(tmp_path / "a.webp") == (0, 0, 255)).all()


def test_only_the_part_that_is_trained_is_looked_at(tmp_path: Path) -> None:
    image = Image.new("RGB", (64, 64), WHITE)
    image.paste(RED, (10, 20, 42, 52))
    image.save(tmp_path / "a.png")

    assert (pixels(tmp_path / "a.png", (10, 20, 42, 52)) == (0, 0, 255)).all()
    with pytest.raises(DatasetError, match="has no such part as its crop"):
        pixels(tmp_path / "a.png", (10, 20, 99, 52))


def test_a_very_long_picture_takes_no_memory_for_its_whole_square(tmp_path: Path) -> None:
    Image.new("L", (40_000, 8), 0).save(tmp_path / "a.png")

    found = pixels(tmp_path / "a.png")

    assert found.shape == (32, 32, 3)
    assert found[:15].min() == 255
    assert found[15:17].max() < 255


def test_a_file_that_is_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")

    with pytest.raises(DatasetError, match=r"a\.png cannot be read as a picture"):
        pixels(tmp_path / "a.png")


def test_it_is_scaled_as_the_taggers_author_does(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (50, 80, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    square = np.full((80, 80, 3), 255, np.uint8)
    square[15:65] = noise
    expected = np.asarray(Image.fromarray(square).resize((32, 32), Image.Resampling.BICUBIC))[:, :, ::-1]

    assert np.array_equal(pixels(tmp_path / "a.png"), expected)

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from advisor.dataset.buckets import Placement
from advisor.errors import DatasetError
from tests.support.pictures import draw_picture
from trainer.data.image_files import Crop, normalised, read_image

WHOLE = Placement((64, 64), (64, 64))


def test_a_picture_is_scaled_to_cover_and_cropped_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.repeat(np.arange(96, dtype=np.uint8)[None, :, None], 64, 0).repeat(3, 2)).save(path)

    pixels = read_image(path, Crop.centred(Placement((64, 64), (96, 64))))

    assert pixels.shape == (3, 64, 64)
    assert pixels[0, 0].tolist() == list(range(16, 80))


def test_a_mirrored_picture_is_the_mirror_image_of_the_crop(tmp_path: Path) -> None:
    path = draw_picture(tmp_path / "a.png", (80, 64))
    placement = Placement((64, 64), (80, 64))

    plain, flipped = (read_image(path, Crop.centred(placement, flip=flip)) for flip in (False, True))

    assert torch.equal(flipped, plain.flip(2))


def test_a_cameras_orientation_mark_is_followed(tmp_path: Path) -> None:
    path = draw_picture(tmp_path / "a.jpg", (64, 128), orientation=6)

    assert read_image(path, Crop.centred(Placement((128, 64), (128, 64)))).shape == (3, 64, 128)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_becomes_white(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.png"
    if mode == "P":
        image = Image.new("P", (64, 64), 0)
        image.putpalette([10, 20, 30] * 256)
        image.save(path, transparency=0)
    else:
        Image.new(mode, (64, 64), 0).save(path)

    assert read_image(path, Crop.centred(WHOLE)).unique().tolist() == [255]


@pytest.mark.parametrize("mode", ["L", "1", "CMYK", "I;16", "RGB"])
def test_every_kind_of_picture_gives_three_channels(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    Image.new(mode, (64, 64)).save(path)

    pixels = read_image(path, Crop.centred(WHOLE))

    assert pixels.shape == (3, 64, 64)
    assert pixels.dtype == torch.uint8


def test_sixteen_bit_greys_are_scaled_and_not_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.full((64, 64), 32768, dtype=np.uint16)).save(path)

    assert read_image(path, Crop.centred(WHOLE)).unique().tolist() == [128]


def test_random_crops_stay_inside_and_differ(tmp_path: Path) -> None:
    placement = Placement((64, 64), (96, 70))

    crops = [Crop.at_random(placement, torch.Generator().manual_seed(seed)) for seed in range(40)]

    assert {crop.left for crop in crops} >= {0, 32} or len({crop.left for crop in crops}) > 15
    assert all(0 <= crop.left <= 32 and 0 <= crop.top <= 6 for crop in crops)


def test_a_broken_picture_is_named(tmp_path: Path) -> None:
    path = draw_picture(tmp_path / "a.png", (64, 64))
    path.write_bytes(path.read_bytes()[:100])

    with pytest.raises(DatasetError, match=r"a\.png cannot be read as a picture"):
        read_image(path, Crop.centred(WHOLE))


def test_pixels_become_minus_one_to_one() -> None:
    assert normalised(torch.tensor([0, 255], dtype=torch.uint8)).tolist() == [-1.0, 1.0]

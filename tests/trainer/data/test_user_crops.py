"""A picture that the user crops is trained as a file of the cropped picture would be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from advisor.dataset.edits import Edits, PictureEdit
from advisor.dataset.scan import scan
from advisor.settings.config import TrainingConfig, parse_config
from tests.support.pictures import scene
from trainer.data.crops import Crops
from trainer.data.image_files import Crop, read_image
from trainer.data.masks import Masks
from trainer.data.training_set import SampleRef, TrainingSet

BOX = (40, 30, 280, 190)
WHOLE = (384, 320)
REF = SampleRef(0, 0)


def configured(images: Path, **dataset: object) -> TrainingConfig:
    sizes = {"resolution_px": 128, "min_bucket_px": 64, "max_bucket_px": 256}
    return parse_config(
        {
            "model": {"path": "/m", "family": "sdxl"},
            "dataset": {"images": str(images), **sizes, **dataset},
            "saving": {"name": "tok"},
            "machine": {"cpu_threads": 1},
        }
    )


Pair = tuple[TrainingSet, TrainingSet, Path, Path]


@pytest.fixture
def both(tmp_path: Path) -> Pair:
    """The set of a picture cropped by an edit, and that of a file of the cropped picture."""
    edited, done = tmp_path / "edited", tmp_path / "done"
    for folder in (edited, done):
        folder.mkdir()
    picture = with_alpha()
    picture.save(edited / "a.png")
    picture.crop(BOX).save(done / "a.png")
    return *sets(edited, done), edited, done


def sets(edited: Path, done: Path) -> tuple[TrainingSet, TrainingSet]:
    crop = Edits.of([PictureEdit((edited / "a.png").as_posix(), crop=BOX)])
    return (
        TrainingSet.of(crop.applied(scan(edited)), configured(edited)),
        TrainingSet.of(scan(done), configured(done)),
    )


def with_alpha() -> Image.Image:
    picture = scene(5, WHOLE).convert("RGBA")
    alpha = Image.linear_gradient("L").resize(WHOLE)
    picture.putalpha(alpha)
    return picture


def crops(pictures: TrainingSet, config: TrainingConfig) -> Iterator[tuple[Crop, list[float]]]:
    found = Crops(pictures.items, config)
    for epoch in range(6):
        yield found.of(REF, epoch), found.sizes([REF], epoch)[0].tolist()


@pytest.mark.parametrize("dataset", [{}, {"flip": True}, {"random_crop": True, "flip": True}])
def test_bucket_pixels_and_size_conditioning_are_those_of_the_cropped_file(
    both: Pair, dataset: dict[str, object]
) -> None:
    edited, done, first, second = both
    one, other = edited.items[0], done.items[0]

    assert (one.size, one.placement) == (other.size, other.placement)
    found = zip(crops(edited, configured(first, **dataset)), crops(done, configured(second, **dataset)), strict=True)
    for (crop, sizes), (wanted, wanted_sizes) in found:
        assert sizes == wanted_sizes
        assert torch.equal(read_image(one.path, crop), read_image(other.path, wanted))


def test_masks_are_cropped_with_their_picture(both: Pair, tmp_path: Path) -> None:
    edited, done, first, second = both
    found = []
    for pictures, folder in ((edited, first), (done, second)):
        config = configured(folder, masks=True, mask_source="alpha", flip=True)
        masks = Masks(pictures, config, tmp_path / f"run-{folder.name}", latent_px=8)
        masks.prepare(lambda *_: None)
        found.append(torch.stack([masks.of([REF], epoch) for epoch in range(4)]))

    assert torch.equal(*found)
    assert found[0].min() < found[0].max()


def test_a_mask_file_of_half_the_pictures_size_is_cropped_in_its_own_pixels(tmp_path: Path) -> None:
    edited, done = tmp_path / "edited", tmp_path / "done"
    mask = Image.fromarray(np.arange(192 * 160, dtype=np.uint32).reshape(160, 192).astype(np.uint8))
    for folder, picture, grey in (
        (edited, scene(5, WHOLE), mask),
        (done, scene(5, WHOLE).crop(BOX), mask.crop((20, 15, 140, 95))),
    ):
        folder.mkdir()
        picture.save(folder / "a.png")
        grey.save(folder / "a-masklabel.png")
    found = []
    for pictures, folder in zip(sets(edited, done), (edited, done), strict=True):
        config = configured(folder, masks=True, mask_source="files")
        masks = Masks(pictures, config, tmp_path / f"run-{folder.name}", latent_px=8)
        masks.prepare(lambda *_: None)
        found.append(masks.of([REF], 0))

    assert torch.equal(*found)


def test_cache_keys_name_a_crop_only_where_there_is_one(both: Pair) -> None:
    edited, done, _, _ = both
    with_box, without = edited.items[0].centred().key_text, done.items[0].centred().key_text

    assert "box" not in without
    assert with_box == f"{without[:-1]}, box=(40, 30, 280, 190))"


def test_a_picture_that_is_turned_by_its_camera_is_cropped_as_it_is_shown(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    shown = scene(7, (320, 384))
    (tmp_path / "p").mkdir()
    shown.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "p" / "a.png", exif=exif)
    path = tmp_path / "p" / "a.png"
    report = Edits.of([PictureEdit(path.as_posix(), crop=(10, 20, 202, 212))]).applied(scan(tmp_path / "p"))
    item = TrainingSet.of(report, configured(tmp_path / "p", bucket_upscale=False)).items[0]

    shown.crop((10, 20, 202, 212)).save(tmp_path / "wanted.png")
    wanted = read_image(tmp_path / "wanted.png", Crop.centred(item.placement))
    assert item.size == (192, 192)
    assert torch.equal(read_image(path, item.centred()), wanted)

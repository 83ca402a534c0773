from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from advisor.dataset.scan import scan
from advisor.errors import DatasetError
from advisor.settings.config import TrainingConfig, parse_config
from tests.support.pictures import draw_picture
from trainer.data.crops import Crops
from trainer.data.masks import Masks
from trainer.data.training_set import SampleRef, TrainingSet

VIEW = SampleRef(0, 0)


def make_config(images: Path, **dataset: Any) -> TrainingConfig:
    dataset = {"resolution_px": 64, "min_bucket_px": 64, "masks": True, **dataset}
    return parse_config(
        {
            "model": {"path": "/m", "family": "sd1"},
            "dataset": {"images": str(images), **dataset},
            "machine": {"cpu_threads": 2},
            "saving": {"name": "tok"},
        }
    )


def make_masks(tmp_path: Path, **dataset: Any) -> tuple[Masks, TrainingSet, TrainingConfig]:
    config = make_config(tmp_path / "pictures", **dataset)
    pictures = TrainingSet.of(scan(tmp_path / "pictures"), config)
    return Masks(pictures, config, tmp_path / "run", latent_px=8), pictures, config


def save_alpha(path: Path, alpha: np.ndarray[Any, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = alpha.shape
    pixels = np.full((height, width, 4), 100, dtype=np.uint8)
    pixels[..., 3] = alpha
    Image.fromarray(pixels).save(path)


def left_half(width: int = 64, height: int = 64) -> np.ndarray[Any, Any]:
    mask = np.zeros((height, width), dtype=np.uint8)
    mask[:, : width // 2] = 255
    return mask


def silent(done: int, total: int) -> None:
    pass


def test_the_alpha_channel_weighs_each_place(tmp_path: Path) -> None:
    save_alpha(tmp_path / "pictures" / "a.png", left_half())
    masks, _, _ = make_masks(tmp_path)

    news = masks.prepare(silent)

    wanted = torch.zeros(1, 1, 8, 8)
    wanted[..., :4] = 1
    assert torch.equal(masks.of([VIEW], 0), wanted)
    assert (news.missing, news.empty) == ((), ())


def test_a_mask_is_reduced_by_averaging_over_areas(tmp_path: Path) -> None:
    alpha = np.zeros((64, 64), dtype=np.uint8)
    alpha[0:4, 0:8] = 255
    alpha[8:16, 8:10] = 51
    save_alpha(tmp_path / "pictures" / "a.png", alpha)
    masks, _, _ = make_masks(tmp_path)
    masks.prepare(silent)

    found = masks.of([VIEW], 0)[0, 0]

    assert found[0, 0] == pytest.approx(0.5)
    assert found[1, 1] == pytest.approx(0.2 / 4)
    assert float(found.sum()) == pytest.approx(0.55)


@pytest.mark.parametrize("name", ["a-masklabel.png", "masks/a.png"])
def test_mask_files_lie_beside_the_picture_and_are_no_pictures(tmp_path: Path, name: str) -> None:
    draw_picture(_folder(tmp_path) / "a.jpg", (64, 64))
    path = tmp_path / "pictures" / name
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(left_half()).save(path)
    masks, pictures, _ = make_masks(tmp_path, mask_source="files")
    masks.prepare(silent)

    assert [item.path.name for item in pictures.items] == ["a.jpg"]
    assert masks.of([VIEW], 0).mean() == 0.5


def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir(exist_ok=True)
    return folder


def test_pictures_without_a_mask_count_as_a_whole_and_are_told(tmp_path: Path) -> None:
    path = draw_picture(_folder(tmp_path) / "a.png", (64, 64))
    masks, _, _ = make_masks(tmp_path)

    news = masks.prepare(silent)

    assert news.missing == (path,)
    assert bool((masks.of([VIEW], 0) == 1).all())


def test_a_mask_that_leaves_nothing_is_told(tmp_path: Path) -> None:
    save_alpha(tmp_path / "pictures" / "a.png", np.zeros((64, 64), dtype=np.uint8))
    masks, pictures, _ = make_masks(tmp_path)

    assert masks.prepare(silent).empty == (pictures.items[0].path,)


@pytest.mark.parametrize("random_crop", [False, True])
def test_masks_are_cropped_and_mirrored_as_their_pictures(tmp_path: Path, random_crop: bool) -> None:
    ramp = np.arange(96, dtype=np.uint8)[None, :].repeat(64, 0)
    save_alpha(tmp_path / "pictures" / "a.png", ramp)
    masks, pictures, config = make_masks(
        tmp_path, flip=True, random_crop=random_crop, bucket_step_px=64, bucket_upscale=True, max_bucket_px=64
    )
    masks.prepare(silent)
    crops = Crops(pictures.items, config)

    seen = set[tuple[bool, int]]()
    for epoch in range(12):
        crop = crops.of(VIEW, epoch)
        cut = torch.arange(96.0)[crop.left : crop.left + 64]
        wanted = (cut.flip(0) if crop.flip else cut).view(8, 8).mean(dim=1) / 255
        torch.testing.assert_close(masks.of([VIEW], epoch)[0, 0, 3], wanted)
        seen.add((crop.flip, crop.left))

    assert {flip for flip, _ in seen} == {False, True}
    assert (len(seen) > 4) is random_crop


def test_a_mask_of_other_proportions_is_refused(tmp_path: Path) -> None:
    draw_picture(_folder(tmp_path) / "a.png", (128, 64))
    Image.fromarray(left_half()).save(tmp_path / "pictures" / "a-masklabel.png")
    masks, _, _ = make_masks(tmp_path, mask_source="files")

    with pytest.raises(DatasetError, match=r"masklabel\.png is a mask of 64 x 64 pixels for a picture of 128 x 64"):
        masks.prepare(silent)


def test_an_edited_mask_is_read_anew_and_others_come_from_the_cache(tmp_path: Path) -> None:
    save_alpha(tmp_path / "pictures" / "a.png", left_half())
    for _ in range(2):
        masks, _, _ = make_masks(tmp_path)
        masks.prepare(silent)
    assert len(list((tmp_path / "run" / "cache" / "masks").rglob("*.safetensors"))) == 1

    save_alpha(tmp_path / "pictures" / "a.png", 255 - left_half())
    masks, _, _ = make_masks(tmp_path)
    masks.prepare(silent)

    assert float(masks.of([VIEW], 0)[..., :4].sum()) == 0
    assert len(list((tmp_path / "run" / "cache" / "masks").rglob("*.safetensors"))) == 2


def test_a_folder_called_masks_that_holds_others_is_trained(tmp_path: Path) -> None:
    draw_picture(_folder(tmp_path) / "a.png", (64, 64))
    (tmp_path / "pictures" / "masks").mkdir()
    draw_picture(tmp_path / "pictures" / "masks" / "venice.png", (64, 64))

    assert [picture.path for picture in scan(tmp_path / "pictures").image_files] == ["a.png", "masks/venice.png"]


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\nshowpage\n%%EOF\n"


def test_a_mask_that_is_no_picture_of_ours_starts_no_other_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An EPS named so started Ghostscript."""
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *_, **__: pytest.fail("Ghostscript was started"))
    (tmp_path / "pictures").mkdir()
    draw_picture(tmp_path / "pictures" / "a.png", (64, 64))
    (tmp_path / "pictures" / "a-masklabel.png").write_bytes(EPS)
    masks, _, _ = make_masks(tmp_path, mask_source="files")

    with pytest.raises(DatasetError, match=r"a-masklabel\.png cannot be read as a picture"):
        masks.prepare(silent)

from __future__ import annotations

from pathlib import Path

from advisor.dataset.buckets import Placement
from advisor.settings.config import DatasetConfig, ModelConfig, RunConfig, SavingConfig, TrainingConfig
from trainer.data.crops import Crops
from trainer.data.training_set import Item, SampleRef

SEEDS = range(20)


def item(size: tuple[int, int], scaled: tuple[int, int], bucket: tuple[int, int]) -> Item:
    return Item(0, Path("a.png"), ".", size, Placement(bucket, scaled), 1, "a")


def crops(*items: Item, seed: int = 1, **dataset: object) -> Crops:
    config = TrainingConfig(
        model=ModelConfig(path="x", family="sdxl"),
        dataset=DatasetConfig.model_validate({"images": "x"} | dataset),
        saving=SavingConfig(name="x"),
        run=RunConfig(seed=seed),
    )
    return Crops(items, config)


WIDE = item((1300, 1000), (665, 512), (640, 512))
TALL = item((900, 1600), (576, 1024), (576, 960))


def test_sizes_are_height_and_width_before_what_was_cropped_and_the_bucket() -> None:
    found = crops(WIDE, TALL).sizes([SampleRef(0, 0), SampleRef(1, 0)], epoch=0)

    assert found.tolist() == [[1000, 1300, 0, 12, 512, 640], [1600, 900, 32, 0, 960, 576]]


def test_a_mirrored_picture_lost_at_its_left_what_it_had_at_its_right() -> None:
    lefts = {crops(WIDE, seed=seed, flip=True).sizes([SampleRef(0, 0)], 0)[0, 3].item() for seed in SEEDS}

    assert lefts == {12, 13}


def test_a_random_crop_is_told_as_it_is_made() -> None:
    for seed in SEEDS:
        found = crops(WIDE, seed=seed, random_crop=True)
        crop = found.of(SampleRef(0, 1), epoch=2)

        assert found.sizes([SampleRef(0, 1)], 2)[0].tolist() == [1000, 1300, crop.top, crop.left, 512, 640]


def test_each_showing_has_a_crop_of_its_own() -> None:
    found = crops(WIDE, random_crop=True)

    assert len({found.of(SampleRef(0, repeat), epoch).left for repeat in range(5) for epoch in range(3)}) > 5

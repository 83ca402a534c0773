from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.config import DatasetConfig, TrainingConfig, parse_config
from advisor.dataset import DatasetReport, Folder, Picture
from trainer.dataset import TrainingSet, write_manifest

SIZES = ((512, 512), (640, 448), (448, 640), (1200, 400))


def make_report(
    count: int, *, folders: tuple[Folder, ...] = (Folder(".", 1),), caption: str | None = "a"
) -> DatasetReport:
    pictures = [
        Picture(f"{index:03}.png", *SIZES[index % len(SIZES)], folder=index % len(folders), caption=caption)
        for index in range(count)
    ]
    return DatasetReport("/pictures", tuple(pictures), folders)


def make_config(**dataset: object) -> TrainingConfig:
    tree = {
        "model": {"path": "/m", "family": "sd1"},
        "dataset": {"images": "/pictures", **dataset},
        "saving": {"name": "tok"},
        "run": {"trigger": "tok"},
    }
    return parse_config(tree)


@settings(max_examples=30)
@given(st.integers(1, 30), st.integers(1, 3), st.integers(1, 5), st.integers(0, 3))
def test_an_epoch_shows_every_picture_exactly_as_often_as_its_repeats(
    count: int, repeats: int, batch_size: int, epoch: int
) -> None:
    pictures = TrainingSet.of(make_report(count), make_config(repeats=repeats))

    batches = pictures.batches(seed=1, epoch=epoch, batch_size=batch_size)

    shown = Counter(view.item for batch in batches for view in batch)
    assert shown == dict.fromkeys(range(count), repeats)


@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(1, 5))
def test_a_batch_holds_one_size_and_only_the_last_of_a_size_is_short(count: int, batch_size: int) -> None:
    pictures = TrainingSet.of(make_report(count), make_config())

    batches = pictures.batches(seed=1, epoch=0, batch_size=batch_size)

    buckets = [{pictures.items[view.item].bucket for view in batch} for batch in batches]
    assert all(len(bucket) == 1 for bucket in buckets)
    short = Counter(min(bucket) for bucket, batch in zip(buckets, batches, strict=True) if len(batch) < batch_size)
    assert max(short.values(), default=0) <= 1


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    pictures = TrainingSet.of(make_report(12), make_config())

    first = pictures.batches(seed=1, epoch=0, batch_size=2)

    assert first == pictures.batches(seed=1, epoch=0, batch_size=2)
    assert first != pictures.batches(seed=1, epoch=1, batch_size=2)
    assert first != pictures.batches(seed=2, epoch=0, batch_size=2)


def test_a_folder_of_the_configuration_has_its_own_repeats_also_for_those_inside_it() -> None:
    folders = (Folder(".", 1), Folder("10_mira", 1, 10, "mira"), Folder("10_mira/close", 1))
    config = make_config(repeats=2, folders=[{"path": "10_mira", "repeats": 10}])

    pictures = TrainingSet.of(make_report(3, folders=folders), config)

    assert [item.repeats for item in pictures.items] == [2, 10, 10]


def test_without_a_caption_file_a_picture_is_called_by_its_folders_concept_or_the_trigger() -> None:
    folders = (Folder(".", 1), Folder("10_mira girl", 1, 10, "mira girl"))

    pictures = TrainingSet.of(make_report(2, folders=folders, caption=None), make_config())

    assert [item.caption for item in pictures.items] == ["tok", "mira girl"]


def test_an_empty_caption_stays_empty() -> None:
    assert TrainingSet.of(make_report(1, caption=""), make_config()).items[0].caption == ""


def test_the_manifest_tells_each_pictures_size_bucket_repeats_and_caption(tmp_path: Path) -> None:
    pictures = TrainingSet.of(make_report(2, caption="mädchen 🌸"), make_config(repeats=3))

    write_manifest(tmp_path, pictures.items)

    lines = (tmp_path / "images" / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[1]) == {
        "path": pictures.items[1].path.as_posix(),
        "size": [640, 448],
        "bucket": [576, 384],
        "repeats": 3,
        "caption": "mädchen 🌸",
    }


def test_nothing_is_upscaled_unless_wanted() -> None:
    report = DatasetReport("/p", (Picture("a.png", 300, 300, 0, "a"),), (Folder(".", 1),))

    assert TrainingSet.of(report, make_config()).items[0].bucket == (256, 256)
    assert TrainingSet.of(report, make_config(bucket_upscale=True)).items[0].bucket == (512, 512)
    assert DatasetConfig(images="/p").bucket_upscale is False

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.dataset.report import DatasetReport, Folder, ImageFile
from advisor.errors import DatasetError
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.manifest import forget_manifest
from advisor.settings.config import DatasetConfig, TrainingConfig, parse_config
from trainer.data.manifest import write_manifest
from trainer.data.training_set import TrainingSet

SIZES = ((512, 512), (640, 448), (448, 640), (1200, 400))


def make_report(
    count: int, *, folders: tuple[Folder, ...] = (Folder(".", 1),), caption: str | None = "a"
) -> DatasetReport:
    pictures = [
        ImageFile(f"{index:03}.png", *SIZES[index % len(SIZES)], folder=index % len(folders), caption=caption)
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


@pytest.mark.parametrize(
    ("lines", "caption"), [("first", "tok"), ("joined", "tok, smile, hat"), ("random", "tok\nsmile\nhat")]
)
def test_a_caption_of_several_lines_is_trained_as_the_setting_says(lines: str, caption: str) -> None:
    pictures = TrainingSet.of(make_report(1, caption="tok\nsmile\n\nhat"), make_config(caption_lines=lines))

    assert pictures.items[0].caption == caption


def test_the_trigger_is_put_in_front_of_the_subjects_captions_alone() -> None:
    regularization = DatasetReport("/class", make_report(1, caption="a girl").image_files, (Folder(".", 1),))
    config = make_config(prepend_trigger=True)

    pictures = TrainingSet.of(make_report(1, caption="stoked, smile"), config, regularization=regularization)

    assert [item.caption for item in pictures.items] == ["tok, stoked, smile", "a girl"]


def test_an_empty_caption_stays_empty() -> None:
    assert TrainingSet.of(make_report(1, caption=""), make_config()).items[0].caption == ""


def test_a_list_of_the_users_where_the_manifest_goes_is_kept_and_so_is_one_that_they_changed(tmp_path: Path) -> None:
    manifest = tmp_path / "images" / "manifest.jsonl"
    manifest.parent.mkdir()
    manifest.write_text('{"file_name": "a.png", "text": "mira"}\n')

    for _ in range(2):
        write_manifest(tmp_path, TrainingSet.of(make_report(1), make_config()).items)
    manifest.write_text(changed := manifest.read_text("utf-8").replace('"repeats": 1', '"repeats": 7'), "utf-8")
    for _ in range(2):
        write_manifest(tmp_path, [])

    kept = {path.name: path.read_text("utf-8") for path in manifest.parent.iterdir() if path != manifest}
    assert sorted(kept) == ["manifest.jsonl.bak", "manifest.jsonl.bak2"]
    assert "file_name" in kept["manifest.jsonl.bak"]
    assert kept["manifest.jsonl.bak2"] == changed
    assert '"repeats": 7' in changed
    forget_manifest(RunFolder(tmp_path))
    assert not manifest.exists()
    write_manifest(tmp_path, [])
    manifest.write_text(changed, "utf-8")
    forget_manifest(RunFolder(tmp_path))
    assert (manifest.exists(), manifest.with_name("manifest.jsonl.bak3").read_text("utf-8")) == (False, changed)


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
    report = DatasetReport("/p", (ImageFile("a.png", 300, 300, 0, "a"),), (Folder(".", 1),))

    assert TrainingSet.of(report, make_config()).items[0].bucket == (256, 256)
    assert TrainingSet.of(report, make_config(bucket_upscale=True)).items[0].bucket == (512, 512)
    assert DatasetConfig(images="/p").bucket_upscale is False


def test_regularization_pictures_are_shown_as_often_as_the_others_together() -> None:
    folders = (Folder("2_girl", 3, 2, "girl"),)
    regularization = DatasetReport("/class", make_report(3, caption=None).image_files, folders)

    pictures = TrainingSet.of(make_report(4), make_config(repeats=5), regularization=regularization)

    others = pictures.used_for("regularization")
    assert [(item.index, item.repeats, item.caption) for item in others] == [
        (4, 7, "girl"),
        (5, 7, "girl"),
        (6, 6, "girl"),
    ]
    assert pictures.num_samples == 40
    assert pictures.items[:4] == TrainingSet.of(make_report(4), make_config(repeats=5)).items


def test_a_regularization_picture_without_caption_and_concept_has_none() -> None:
    regularization = DatasetReport("/class", make_report(1, caption=None).image_files, (Folder(".", 1),))

    pictures = TrainingSet.of(make_report(1), make_config(), regularization=regularization)

    assert [item.caption for item in pictures.items] == ["a", ""]


def test_regularization_pictures_share_batches_and_weigh_as_wanted() -> None:
    regularization = DatasetReport("/class", make_report(1).image_files, (Folder(".", 1),))
    pictures = TrainingSet.of(make_report(1), make_config(), regularization=regularization)

    (batch,) = pictures.batches(seed=1, epoch=0, batch_size=2)

    weights = {
        view.item: weight for view, weight in zip(batch, pictures.loss_weights(batch, 0.25).tolist(), strict=True)
    }
    assert weights == {0: 1.0, 1: 0.25}


def test_a_picture_cannot_be_both_learned_and_regularization() -> None:
    with pytest.raises(DatasetError, match=r"000\.png lies in dataset\.images and in dataset\.regularization_images"):
        TrainingSet.of(make_report(2), make_config(), regularization=make_report(1))


def validating(share: float) -> TrainingConfig:
    return parse_config(make_config().model_dump() | {"validation": {"share": share}})


def test_pictures_held_out_are_never_trained() -> None:
    out = frozenset({Path("/pictures/003.png"), Path("/pictures/007.png")})
    pictures = TrainingSet.of(make_report(10), validating(0.2), held_out=out)

    shown = {
        view.item
        for epoch in range(3)
        for batch in pictures.batches(seed=1, epoch=epoch, batch_size=2)
        for view in batch
    }

    assert {item.path for item in pictures.measured} == {item.path for item in pictures.used_for("validation")} == out
    assert shown == {item.index for item in pictures.items} - {3, 7}
    assert sum(pictures.bucket_counts().values()) == 8


def test_a_share_of_one_measures_on_all_that_is_trained() -> None:
    pictures = TrainingSet.of(make_report(3), validating(1.0))

    assert pictures.measured == pictures.items == pictures.used_for("training")


def test_more_showings_in_an_epoch_than_can_be_listed_are_refused() -> None:
    assert TrainingSet.of(make_report(200), make_config(repeats=100_000)).num_samples == 20_000_000

    with pytest.raises(DatasetError, match=r"20,100,000 pictures, .* lower dataset\.repeats"):
        TrainingSet.of(make_report(201), make_config(repeats=100_000))

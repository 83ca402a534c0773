"""What trainings keep on disk of pictures and captions, and that it changes nothing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from advisor import files
from advisor.settings.config import TrainingConfig
from tests.support.pictures import draw_picture
from tests.support.runs import SIZES, events_of, make_config, run_training, same, weights
from trainer.data import image_files


def test_the_same_seed_gives_the_same_weights_with_a_cold_or_a_warm_cache(
    finished: tuple[Path, TrainingConfig], tmp_path: Path
) -> None:
    run, config = finished
    (tmp_path / "run").mkdir()
    (run / "cache").rename(tmp_path / "run" / "cache")
    try:
        run_training(tmp_path / "run", config)
    finally:
        (tmp_path / "run" / "cache").rename(run / "cache")

    assert same(weights(tmp_path / "run"), weights(run))


def test_an_edited_picture_is_encoded_anew_and_a_damaged_cache_too(tmp_path: Path) -> None:
    config = make_config(tmp_path, schedule__max_steps=1)
    run_training(tmp_path / "first", config)
    cache = tmp_path / "first" / "cache"
    before = sorted(cache.rglob("*.safetensors"))
    before[0].write_bytes(b"broken")
    draw_picture(tmp_path / "pictures" / "picture-002.png", SIZES[1], seed=99)
    (tmp_path / "second").mkdir()
    cache.rename(tmp_path / "second" / "cache")

    run_training(tmp_path / "second", config)

    after = sorted((tmp_path / "second" / "cache").rglob("*.safetensors"))
    assert len(after) == len(before) + 1
    assert min(path.stat().st_size for path in after) > 100


def test_latents_of_slices_have_entries_of_their_own(tmp_path: Path) -> None:
    run_training(tmp_path / "whole", make_config(tmp_path, schedule__max_steps=1))
    before = {path.name for path in (tmp_path / "whole" / "cache" / "latents").rglob("*.safetensors")}
    (tmp_path / "sliced").mkdir()
    (tmp_path / "whole" / "cache").rename(tmp_path / "sliced" / "cache")

    run_training(tmp_path / "sliced", make_config(tmp_path, schedule__max_steps=1, memory__encode_slices=2))

    after = {path.name for path in (tmp_path / "sliced" / "cache" / "latents").rglob("*.safetensors")}
    assert before < after
    assert len(after) == 2 * len(before)


def test_cached_text_gives_the_same_training_as_text_encoded_each_time(material: Path, tmp_path: Path) -> None:
    for cached in (False, True):
        config = make_config(
            material, optimizer__text_encoder_learning_rate=0.0, dataset__shuffle_captions=False,
            memory__cache_text=cached, schedule__batch_size=1, schedule__max_steps=3,
        )  # fmt: skip
        run_training(tmp_path / str(cached), config)

    assert same(weights(tmp_path / "True"), weights(tmp_path / "False"))


def test_text_that_cannot_be_cached_is_encoded_each_time_with_a_warning(material: Path, tmp_path: Path) -> None:
    run_training(tmp_path, make_config(material, memory__cache_text=True, schedule__max_steps=1))

    assert [event["code"] for event in events_of(tmp_path, "warning")] == ["text_not_cached"]


def test_random_crops_and_flips_train_without_a_cache(material: Path, tmp_path: Path) -> None:
    run_training(tmp_path, make_config(material, dataset__random_crop=True, dataset__flip=True, schedule__max_steps=2))

    assert [event["code"] for event in events_of(tmp_path, "warning")] == ["latents_not_cached"]
    assert not list((tmp_path / "cache").rglob("*.safetensors"))


def test_flips_are_cached_beside_the_pictures(material: Path, tmp_path: Path) -> None:
    run_training(tmp_path, make_config(material, dataset__flip=True, schedule__max_steps=1))

    assert len(list((tmp_path / "cache").rglob("*.safetensors"))) == 12


def test_a_second_start_hashes_each_picture_and_mask_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_config(
        tmp_path, optimizer__text_encoder_learning_rate=0.0, dataset__shuffle_captions=False, memory__cache_text=True,
        dataset__masks=True, dataset__mask_source="files", dataset__flip=True, validation__share=0.2,
        schedule__batch_size=1, schedule__max_steps=1,
    )  # fmt: skip
    for picture in sorted((tmp_path / "pictures").glob("*.png")):
        with Image.open(picture) as image:
            Image.new("L", image.size, 200).save(picture.with_name(f"{picture.stem}-masklabel.png"))
    run_training(tmp_path / "first", config)
    hashed, digest = Counter[str](), files.file_digest

    def counted_digest(path: Path) -> str:
        hashed[path.name] += 1
        return digest(path)

    monkeypatch.setattr(image_files, "file_digest", counted_digest)
    (tmp_path / "second").mkdir()
    (tmp_path / "first" / "cache").rename(tmp_path / "second" / "cache")

    run_training(tmp_path / "second", config)

    assert set(hashed.values()) == {1}
    assert len(hashed) == 12
    assert same(weights(tmp_path / "first"), weights(tmp_path / "second"))

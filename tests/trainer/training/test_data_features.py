"""Whole trainings with regularization pictures, masks, validation and weighted captions; what caches depend on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from advisor.settings.config import LossConfig, TrainingConfig
from tests.support.pictures import draw_picture, make_pictures
from tests.support.runs import OF_BATCHES, SIZES, events_of, make_config, metadata, run_training
from tests.support.tiny import tiny_sd1
from trainer.data.latents import cache_latents
from trainer.data.training_set import TrainingSet
from trainer.models.families.family import BaseModel
from trainer.training import callbacks
from trainer.training.step import Batch, training_loss
from trainer.training.validation import fixed_timesteps


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a base model and pictures that tests only read."""
    folder = tmp_path_factory.mktemp("material")
    make_config(folder)
    return folder


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[Batch]:
    """The batches that are trained, as they go by."""
    seen = list[Batch]()

    def noted(base: Any, network: Any, batch: Batch, config: TrainingConfig) -> torch.Tensor:
        seen.append(batch)
        return training_loss(base, network, batch, config)

    monkeypatch.setattr("trainer.training.stepper.training_loss", noted)
    return seen


def weights(run: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = load_file(run / "model" / "tok.safetensors")
    return state


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_a_batch_larger_than_a_bucket_is_told_before_the_first_step(material: Path, tmp_path: Path) -> None:
    run_training(tmp_path, make_config(material, schedule__max_steps=1))

    events = events_of(tmp_path)
    told = next(event for event in events if event.get("code") in OF_BATCHES)
    assert events.index(told) < next(place for place, event in enumerate(events) if event["event"] == "step")
    assert "128x128 (1)" in told["message"]


def test_regularization_pictures_are_trained_with_their_own_weight(tmp_path: Path, batches: list[Batch]) -> None:
    make_pictures(tmp_path / "class" / "1_girl", 9, sizes=SIZES, captions=False)
    config = make_config(
        tmp_path, dataset__regularization_images=str(tmp_path / "class"), loss__prior_weight=0.25, schedule__epochs=1
    )

    run_training(tmp_path / "run", config)

    shown = sorted(weight for batch in batches for weight in batch.loss_weights.tolist())
    assert shown == [0.25] * 6 + [1.0] * 6
    assert events_of(tmp_path / "run", "warning")[0]["code"] == "regularization_unused"
    with safe_open(tmp_path / "run" / "model" / "tok.safetensors", framework="pt") as file:
        told = file.metadata()
    assert (told["ss_num_train_images"], told["ss_num_reg_images"]) == ("6", "6")
    assert json.loads(told["ss_reg_dataset_dirs"]) == {"1_girl": {"n_repeats": 1, "img_count": 6}}
    assert "girl" not in json.loads(told["ss_tag_frequency"])["pictures"]


def test_manifest_and_metadata_tell_the_captions_that_are_trained(tmp_path: Path) -> None:
    make_pictures(tmp_path / "pictures", 2, sizes=SIZES, captions="stoked\nsmile")
    settings: dict[str, Any] = {"dataset__caption_lines": "joined", "dataset__prepend_trigger": True}

    run_training(tmp_path / "run", make_config(tmp_path, schedule__max_steps=1, **settings))

    lines = (tmp_path / "run" / "images" / "manifest.jsonl").read_text("utf-8").splitlines()
    assert {json.loads(line)["caption"] for line in lines} == {"tok, stoked, smile"}
    tags = json.loads(metadata(tmp_path / "run" / "model" / "tok.safetensors")["ss_tag_frequency"])
    assert tags == {"pictures": {"tok": 2, "stoked": 2, "smile": 2}}


def test_a_caption_that_loses_its_end_or_its_lines_is_told_by_the_training(tmp_path: Path) -> None:
    make_pictures(tmp_path / "pictures", 2, sizes=SIZES, captions=["tok " * 90 + "\nsmile", "tok"])

    run_training(tmp_path / "run", make_config(tmp_path, schedule__max_steps=1))

    told = {event["code"]: event["message"] for event in events_of(tmp_path / "run", "warning")}
    assert "picture-001.png" in told["caption_lines_lost"]
    assert "picture-001.png: " in told["captions_cut"]
    assert "set dataset.max_tokens to 1" in told["captions_cut"] or "to 225" in told["captions_cut"]


def test_a_prior_weight_of_zero_learns_nothing_from_regularization_pictures(tmp_path: Path) -> None:
    make_pictures(tmp_path / "class", 2, sizes=SIZES)
    common: dict[str, Any] = {"dataset__regularization_images": str(tmp_path / "class"), "schedule__batch_size": 1}
    config = make_config(tmp_path, pictures=2, loss__prior_weight=0.0, schedule__epochs=1, **common)

    run_training(tmp_path / "run", config)

    losses = [event["loss"] for event in events_of(tmp_path / "run", "step")]
    assert sum(loss == 0 for loss in losses) == 2
    assert len(losses) == 4


def alpha_pictures(folder: Path) -> None:
    """Two pictures of one size, opaque in their left half."""
    folder.mkdir()
    for number in range(2):
        path = draw_picture(folder / f"{number}.png", (128, 128), seed=number)
        pixels = np.asarray(Image.open(path).convert("RGBA")).copy()
        pixels[:, 64:, 3] = 0
        Image.fromarray(pixels).save(path)


def test_masks_weigh_the_loss_of_their_pictures(tmp_path: Path, batches: list[Batch]) -> None:
    alpha_pictures(tmp_path / "pictures")
    for masks in (False, True):
        run_training(tmp_path / str(masks), make_config(tmp_path, dataset__masks=masks, schedule__max_steps=1))

    assert batches[0].mask is None
    assert batches[1].mask is not None
    assert batches[1].mask.shape == (2, 1, 16, 16)
    assert batches[1].mask.mean() == 0.5
    plain, masked = (events_of(tmp_path / str(masks), "step")[0]["loss"] for masks in (False, True))
    assert 0.3 * plain < masked < 0.7 * plain


def test_missing_masks_are_told(material: Path, tmp_path: Path) -> None:
    run_training(tmp_path, make_config(material, dataset__masks=True, schedule__max_steps=1))

    (warning,) = events_of(tmp_path, "warning")
    assert warning["code"] == "mask_missing"
    assert warning["message"].startswith("6 pictures without a mask, counted as a whole; first ")


def test_the_validation_loss_is_measured_each_time_and_does_not_change_the_training(
    material: Path, tmp_path: Path
) -> None:
    run_training(tmp_path / "plain", make_config(material))
    run_training(tmp_path / "measured", make_config(material, validation__share=1.0, network__dropout=0.0))

    measured = events_of(tmp_path / "measured", "validation")
    assert [(event["step"], event["epoch"]) for event in measured] == [(4, 1), (8, 2)]
    assert all(0 < event["loss"] < 10 for event in measured)
    assert same(weights(tmp_path / "plain"), weights(tmp_path / "measured"))


def test_noise_and_timesteps_of_the_validation_are_fixed(material: Path, tmp_path: Path) -> None:
    rates: dict[str, Any] = {
        f"optimizer__{name}": 0.0 for name in ("learning_rate", "unet_learning_rate", "text_encoder_learning_rate")
    }

    run_training(
        tmp_path, make_config(material, validation__share=0.3, schedule__epochs=3, dataset__flip=True, **rates)
    )

    losses = [event["loss"] for event in events_of(tmp_path, "validation")]
    assert len(losses) == 3
    assert len(set(losses)) == 1


def test_pictures_held_out_are_not_trained(material: Path, tmp_path: Path, batches: list[Batch]) -> None:
    run_training(tmp_path, make_config(material, validation__share=0.34, schedule__epochs=1))

    assert sum(len(batch.times) for batch in batches) == 4
    lines = (tmp_path / "images" / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    entries = [json.loads(line) for line in lines]
    assert [entry["repeats"] for entry in entries if entry.get("use") == "validation"] == [0, 0]
    with safe_open(tmp_path / "model" / "tok.safetensors", framework="pt") as file:
        assert file.metadata()["ss_num_validation_images"] == "2"


def test_a_validation_that_fails_is_a_warning_and_no_more(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any) -> float:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(callbacks, "validation_loss", broken)

    run_training(tmp_path, make_config(material, validation__share=1.0, schedule__epochs=1))

    assert [event["code"] for event in events_of(tmp_path, "warning")] == ["validation_failed"]
    assert events_of(tmp_path, "finished")


def test_fixed_timesteps_are_the_middles_of_five_equal_parts() -> None:
    assert fixed_timesteps(LossConfig()) == (100, 300, 500, 700, 900)
    assert fixed_timesteps(LossConfig(min_timestep=10, max_timestep=12)) == (10, 10, 11, 11, 11)


def test_a_sample_that_is_no_numbers_is_a_warning_and_no_more(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_numbers(base: BaseModel, latents: torch.Tensor) -> torch.Tensor:
        return torch.full((1, 3, 128, 128), float("nan"))

    monkeypatch.setattr("trainer.models.families.unet_family.UNetFamily.decode_latents", staticmethod(no_numbers))

    run_training(tmp_path, make_config(material, sampling__prompts=("tok",), sampling__steps=2, schedule__epochs=1))

    assert [event["code"] for event in events_of(tmp_path, "warning")] == ["sample_failed", "sample_failed"]
    assert events_of(tmp_path, "finished")


def test_weighted_captions_change_the_training_and_are_cached_with_their_weights(tmp_path: Path) -> None:
    make_pictures(tmp_path / "pictures", 2, sizes=((128, 128),), captions="tok, (smile:2)")
    common: dict[str, Any] = {
        "schedule__max_steps": 2, "schedule__batch_size": 1, "dataset__shuffle_captions": False,
        "optimizer__text_encoder_learning_rate": 0.0,
    }  # fmt: skip
    for name, weighted, cached in (("plain", False, False), ("fresh", True, False), ("cached", True, True)):
        settings: dict[str, Any] = {**common, "dataset__weighted_captions": weighted, "memory__cache_text": cached}
        run_training(tmp_path / name, make_config(tmp_path, **settings))

    assert not same(weights(tmp_path / "plain"), weights(tmp_path / "fresh"))
    assert same(weights(tmp_path / "cached"), weights(tmp_path / "fresh"))


def test_threads_change_nothing_even_with_random_crops_and_dropouts(material: Path, tmp_path: Path) -> None:
    for threads in (1, 3):
        config = make_config(
            material, dataset__random_crop=True, dataset__flip=True, dataset__tag_dropout=0.3,
            dataset__caption_dropout=0.2, machine__cpu_threads=threads, schedule__max_steps=3,
        )  # fmt: skip
        run_training(tmp_path / str(threads), config)

    assert same(weights(tmp_path / "1"), weights(tmp_path / "3"))


def entries_after(folder: Path, config: TrainingConfig, base: BaseModel) -> set[str]:
    """The names of the latent cache's entries once these pictures are in it."""
    from advisor.dataset.scan import scan

    pictures = TrainingSet.of(scan(Path(config.dataset.images)), config)
    cache_latents(base, pictures, config, run=folder, progress=lambda done, total: None)
    return {path.name for path in (folder / "cache" / "latents").rglob("*.safetensors")}


def test_all_that_shapes_a_latent_makes_another_entry(tmp_path: Path) -> None:
    config, base = make_config(tmp_path, pictures=1), tiny_sd1()
    other_vae = tiny_sd1()
    with torch.no_grad():
        next(other_vae.vae.parameters()).add_(0.01)
    other_scale = replace(base.structure, vae=replace(base.structure.vae, scaling_factor=0.13025))
    seen = entries_after(tmp_path, config, base)
    assert len(seen) == len(entries_after(tmp_path, config, base)) == 1
    changes: list[tuple[TrainingConfig, BaseModel]] = [
        (config, other_vae),
        (config, replace(base, structure=other_scale)),
        (make_config(tmp_path, dataset__resolution_px=192), base),
        (make_config(tmp_path, dataset__bucket_step_px=32), base),
        (make_config(tmp_path, dataset__flip=True), base),
    ]

    for changed_config, changed_base in changes:
        found = entries_after(tmp_path, changed_config, changed_base)
        assert len(found) == len(seen) + 1
        seen = found
    draw_picture(tmp_path / "pictures" / "picture-001.png", SIZES[0], seed=7)
    assert len(entries_after(tmp_path, config, base)) == len(seen) + 1

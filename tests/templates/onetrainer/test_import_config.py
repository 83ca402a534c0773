from __future__ import annotations

from typing import Any

import pytest

from advisor.settings.config import parse_config
from templates.exporters import EXPORTERS
from templates.importing.import_plan import plan_import
from templates.importing.imported import Imported
from templates.onetrainer.import_config import import_onetrainer
from tests.support.pictures import make_pictures
from tests.support.vocabularies import OF_STABLE_DIFFUSION

LORA = {
    "backup_after": 10, "base_model_name": "owner/model", "batch_size": 4, "layer_filter_preset": "attn-mlp",
    "learning_rate": 0.0003, "model_type": "STABLE_DIFFUSION_15", "output_model_destination": "models/lora.safetensors",
    "output_model_format": "KOHYA_LORA", "resolution": "512", "training_method": "LORA",
}  # fmt: skip
"""What OneTrainer's own presets for LoRAs of Stable Diffusion say, in their order."""
SDXL = {
    **LORA, "model_type": "STABLE_DIFFUSION_XL_10_BASE", "resolution": "1024", "unet": {"weight_dtype": "FLOAT_16"},
    "text_encoder": {"train": False}, "text_encoder_2": {"train": False},
}  # fmt: skip
PRESETS = {
    "sd1": LORA, "sd2 base": {**LORA, "model_type": "STABLE_DIFFUSION_21_BASE"},
    "sd2": {**LORA, "model_type": "STABLE_DIFFUSION_21", "resolution": "768"}, "sdxl": SDXL,
    "sdxl inpainting": {**SDXL, "model_type": "STABLE_DIFFUSION_XL_10_BASE_INPAINTING"},
}  # fmt: skip


def imported(*concepts: dict[str, Any], **keys: Any) -> Imported:
    return import_onetrainer({**LORA, **keys}, concepts=list(concepts))


def notes(found: Imported, key: str) -> list[str]:
    return [line.note for line in found.lines if line.key == key and line.verdict == "contradictory"]


@pytest.mark.parametrize("name", OF_STABLE_DIFFUSION)
@pytest.mark.parametrize("preset", PRESETS)
def test_every_exporter_takes_what_its_own_presets_become(tmp_path: Any, name: str, preset: str) -> None:
    make_pictures(tmp_path / "pictures", 4, sizes=[(1024, 1024)])
    concepts = [{"path": str(tmp_path / "pictures"), "name": "mira"}]
    found = import_onetrainer(PRESETS[preset], concepts=concepts, source="preset.json")
    config = parse_config(plan_import(found, None, {}).plan.config.model_dump())

    assert EXPORTERS[name].write(config, run=tmp_path / "run", out=None).paths


def test_a_constant_rate_with_its_own_warm_up_is_one_with_warm_up() -> None:
    found = imported().effective

    assert (found["schedule.name"], found["schedule.warmup_steps"]) == ("constant_with_warmup", 200)
    assert imported(learning_rate_warmup_steps=0).effective["schedule.name"] == "constant"


def test_crops_that_are_cached_are_always_the_same() -> None:
    jittered = {"path": "/p", "image": {"enable_crop_jitter": True}}

    assert imported(jittered).effective["dataset.random_crop"] is False
    assert imported(jittered, latent_caching=False).effective["dataset.random_crop"] is True
    assert imported(latent_caching=False).effective["dataset.random_crop"] is True


def test_concepts_are_these_folders_and_nothing_else() -> None:
    found = imported(
        {"path": "/data/girl", "balancing": 4.0, "name": "mira"},
        {"path": "/data/girl/more", "include_subdirectories": True, "name": "mira"},
        {"path": "/data/class", "name": "regularization", "loss_weight": 0.5},
    )

    assert found.settings["dataset.images"] == "/data/girl"
    named = [(one.path, one.repeats, one.subfolders) for one in found.settings["dataset.folders"]]
    assert named == [(".", 4, False), ("more", 1, True)]
    assert found.settings["dataset.only_folders"] is True
    assert found.settings["dataset.regularization_images"] == "/data/class"
    assert found.settings["loss.prior_weight"] == 0.5


def test_what_only_some_concepts_do_is_told_and_not_spread() -> None:
    found = imported(
        {"path": "/a", "image": {"enable_random_flip": True}, "text": {"keep_tags_count": 3}},
        {"path": "/b", "image": {"enable_random_flip": False}, "text": {"tag_dropout_enable": True,
                                                                        "tag_dropout_probability": 0.2}},
    )  # fmt: skip

    assert found.effective["dataset.flip"] is False
    assert found.effective["dataset.keep_tokens"] == 1
    assert found.effective["dataset.tag_dropout"] == 0
    assert notes(found, "concepts[0].image.enable_random_flip")
    assert notes(found, "concepts[0].text.keep_tags_count")
    assert notes(found, "concepts[1].text.tag_dropout_probability")


def test_a_second_text_encoder_that_is_trained_alone_is_told() -> None:
    found = import_onetrainer({**SDXL, "text_encoder_2": {"train": True}})

    assert found.settings["optimizer.text_encoder_learning_rate"] == 0
    assert notes(found, "text_encoder_2.train")


def test_without_its_buckets_the_square_is_the_only_size() -> None:
    sides = ("dataset.min_bucket_px", "dataset.max_bucket_px")

    assert [imported(aspect_ratio_bucketing=False).settings[path] for path in sides] == [512, 512]
    assert [imported().settings[path] for path in sides] == [256, 1024]


def test_its_own_warm_up_counts_batches_as_that_of_a_file_does() -> None:
    assert imported(gradient_accumulation_steps=2).effective["schedule.warmup_steps"] == 100


def test_a_concept_that_is_switched_off_is_told_once() -> None:
    found = imported({"path": "/a", "image": {}}, {"path": "/b", "name": "old", "enabled": False})

    dropped = [line.key for line in found.of("dropped") if line.key.startswith("concepts")]
    assert dropped == ["concepts[1].path"]


def test_its_sizes_are_told_to_be_others() -> None:
    assert ["nine aspect ratios" in note for note in imported().notes] == [True]

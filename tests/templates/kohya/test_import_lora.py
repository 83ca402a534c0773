from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from advisor.checkpoints.identity import Identity
from templates.importing.imported import Imported
from templates.kohya.import_lora import import_lora

LORA = Identity(path="/l/a.safetensors", kind="lora", family="sd1", adapter="lora", rank=16, alpha=8.0)

KOHYA = {
    "ss_network_module": "networks.lora", "ss_network_dim": "16", "ss_network_alpha": "8.0", "ss_unet_lr": "0.0001",
    "ss_text_encoder_lr": "5e-05", "ss_learning_rate": "0.0001", "ss_num_epochs": "10", "ss_seed": "42",
    "ss_optimizer": "bitsandbytes.optim.adamw.AdamW8bit(weight_decay=0.1,betas=(0.9, 0.99))",
    "ss_lr_scheduler": "cosine", "ss_lr_warmup_steps": "30", "ss_resolution": "(512, 512)", "ss_clip_skip": "2",
    "ss_base_model_version": "sd_v1", "ss_sd_model_name": "nai.ckpt", "ss_mixed_precision": "bf16",
    "ss_min_snr_gamma": "None", "ss_shuffle_caption": "True", "ss_keep_tokens": "1", "ss_max_train_steps": "600",
    "ss_num_batches_per_epoch": "60", "ss_batch_size_per_device": "2", "ss_network_args": json.dumps({"conv_dim": "4"}),
    "ss_dataset_dirs": json.dumps({"20_foxgirl": {"n_repeats": 20, "img_count": 12}}), "ss_session_id": "123",
    "ss_bucket_no_upscale": "True", "ss_tag_frequency": "{}", "sshs_model_hash": "abc", "modelspec.title": "fox",
}  # fmt: skip


def imported(metadata: dict[str, str], *, has_text_encoder: bool = True, **identity: Any) -> Imported:
    return import_lora(metadata, replace(LORA, **identity), has_text_encoder=has_text_encoder)


def test_one_like_this_is_what_the_metadata_tell() -> None:
    settings = imported(KOHYA).settings

    assert settings["network.rank"] == 16
    assert settings["network.kind"] == "locon"
    assert settings["network.conv_rank"] == 4
    assert settings["optimizer.name"] == "adamw8bit"
    assert settings["optimizer.weight_decay"] == 0.1
    assert settings["optimizer.arguments"] == ("betas=0.9,0.99",)
    assert settings["optimizer.text_encoder_learning_rate"] == 5e-5
    assert settings["schedule.epochs"] == 10
    assert settings["schedule.warmup_steps"] == 30
    assert settings["schedule.batch_size"] == 2
    assert settings["dataset.resolution_px"] == 512
    assert settings["dataset.repeats"] == 20
    assert settings["dataset.shuffle_captions"] is True
    assert settings["run.trigger"] == "foxgirl"
    assert settings["model.path"] == "nai.ckpt"
    assert settings["memory.compute_dtype"] == "bfloat16"


def test_every_entry_has_a_line_and_records_are_idle_or_dropped() -> None:
    found = imported(KOHYA)

    assert {line.key for line in found.lines} >= {name.removeprefix("ss_") for name in KOHYA}
    assert not found.of("unknown")


def test_without_metadata_the_weights_speak() -> None:
    found = imported({}, family="sdxl", adapter="locon", rank=32)

    assert found.settings["network.rank"] == 32
    assert found.settings["model.family"] == "sdxl"
    assert found.settings["network.kind"] == "locon"
    assert "weights" in found.notes[0]


@pytest.mark.parametrize(
    ("arguments", "axis", "wanted"),
    [
        ({}, None, "output"),
        ({"wd_on_output": "True"}, None, "output"),
        ({"wd_on_output": "False"}, None, "input"),
        ({}, "input", "input"),
    ],
)
def test_the_axis_of_a_dora_is_lycoris_default_unless_metadata_or_the_file_tell(
    arguments: dict[str, str], axis: Any, wanted: str
) -> None:
    told = json.dumps({"algo": "locon", "dora_wd": "True", **arguments})

    found = imported({"ss_network_module": "lycoris.kohya", "ss_network_args": told}, adapter="dora", dora_axis=axis)

    assert (found.settings["network.kind"], found.settings["network.dora_axis"]) == ("dora", wanted)
    assert not found.of("unknown")


def test_metadata_that_contradict_the_weights_are_reported() -> None:
    found = imported(KOHYA, rank=64)

    assert found.settings["network.rank"] == 16
    assert any(line.key == "the weights" for line in found.of("contradictory"))


def test_several_data_sets_say_what_the_first_does() -> None:
    datasets = [
        {"resolution": [768, 768], "batch_size_per_device": 4, "subsets": [{"num_repeats": 3, "flip_aug": True}]}
    ]

    found = imported({"ss_datasets": json.dumps(datasets), "ss_network_dim": "8"})

    assert found.settings["dataset.resolution_px"] == 768
    assert found.settings["schedule.batch_size"] == 4
    assert found.settings["dataset.flip"] is True
    assert found.settings["dataset.repeats"] == 3


RATES = {"ss_learning_rate": "0.0001", "ss_unet_lr": "0.0001", "ss_network_dim": "16"}


def test_one_rate_for_each_text_encoder_is_read() -> None:
    found = imported({**RATES, "ss_text_encoder_lr": "[5e-05, 5e-05]"})

    assert found.settings["optimizer.text_encoder_learning_rate"] == 5e-5
    assert found.of("contradictory") == ()


def test_a_text_encoder_without_adapters_was_not_trained() -> None:
    found = imported({**RATES, "ss_text_encoder_lr": "None"}, has_text_encoder=False)

    assert found.settings["optimizer.text_encoder_learning_rate"] == 0
    assert imported({**RATES, "ss_text_encoder_lr": "None"}).settings["optimizer.text_encoder_learning_rate"] == 1e-4


def test_folders_of_different_repeats_are_named() -> None:
    folders = {"10_zephyrine girl": {"n_repeats": 10, "img_count": 3}, "2_zephyrine": {"n_repeats": 2, "img_count": 9}}

    found = imported({**RATES, "ss_dataset_dirs": json.dumps(folders)})

    named = [(one.path, one.repeats, one.caption) for one in found.settings["dataset.folders"]]
    assert named == [("10_zephyrine girl", 10, "zephyrine girl"), ("2_zephyrine", 2, "zephyrine")]
    assert found.settings["dataset.only_folders"] is True
    assert found.settings["run.trigger"] == "zephyrine"


def test_what_the_metadata_leave_out_is_as_sd_scripts_has_it_where_they_record_a_training() -> None:
    assert imported(RATES).effective["loss.min_snr_gamma"] == 0
    assert imported(RATES).effective["schedule.name"] == "constant"
    assert imported({"ss_network_dim": "8"}).defaults == {}


def test_what_only_some_subsets_did_is_told_and_not_spread() -> None:
    subsets = [{"num_repeats": 3, "flip_aug": True}, {"num_repeats": 3, "flip_aug": False}]

    found = imported({**RATES, "ss_datasets": json.dumps([{"subsets": subsets}])})

    assert found.effective["dataset.flip"] is False
    assert [line.key for line in found.of("contradictory")] == ["datasets flip_aug"]

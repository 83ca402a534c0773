"""Whole trainings of a tiny model, in this process: what they leave, and what settings change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from advisor.estimate.disk import lora_bytes
from advisor.families import family
from advisor.settings.config import TrainingConfig
from tests.support.runs import events_of, make_config, metadata, run_material, run_training, same, weights
from tests.support.tiny import TINY_SD1


def test_there_is_a_lora_for_each_epoch_and_one_without_a_number(finished: tuple[Path, TrainingConfig]) -> None:
    run, _ = finished

    assert sorted(path.name for path in (run / "model").iterdir()) == ["tok-000001.safetensors", "tok.safetensors"]


def test_its_keys_are_kohyas_and_its_dtype_the_configured_one(finished: tuple[Path, TrainingConfig]) -> None:
    run, _ = finished

    state = weights(run)

    targets = family("sd1").lora_targets(TINY_SD1, conv=False)
    suffixes = ("alpha", "lora_down.weight", "lora_up.weight")
    assert set(state) == {f"{target.name}.{suffix}" for target in targets for suffix in suffixes}
    assert {tensor.dtype for tensor in state.values()} == {torch.float16}
    assert float(state[f"{targets[0].name}.alpha"]) == 2.0


def test_its_size_is_the_planned_one_to_the_byte(finished: tuple[Path, TrainingConfig]) -> None:
    run, config = finished

    sizes = {path.stat().st_size for path in (run / "model").iterdir()}

    assert sizes == {lora_bytes(config, TINY_SD1)}


def test_training_changes_both_parts(finished: tuple[Path, TrainingConfig]) -> None:
    run, _ = finished

    ups = {key: tensor for key, tensor in weights(run).items() if key.endswith("lora_up.weight")}

    assert all(bool(tensor.any()) for tensor in ups.values())
    assert not same(weights(run), weights(run, "tok-000001"))


def test_the_metadata_tell_of_the_training_in_strings(finished: tuple[Path, TrainingConfig]) -> None:
    run, _ = finished

    told = metadata(run / "model" / "tok-000001.safetensors")

    expected = {
        "ss_output_name": "tok", "ss_network_module": "networks.lora", "ss_network_dim": "4",
        "ss_network_alpha": "2.0", "ss_steps": "4", "ss_epoch": "1", "ss_num_epochs": "2",
        "ss_max_train_steps": "8", "ss_num_train_images": "6", "ss_learning_rate": "0.001",
        "ss_text_encoder_lr": "0.0005", "ss_base_model_version": "sd_v1", "ss_v2": "False",
        "ss_mixed_precision": "no", "ss_resolution": "(128, 128)", "ss_min_snr_gamma": "None",
        "ss_dataset_dirs": '{"pictures": {"n_repeats": 1, "img_count": 6}}', "ss_keep_tokens": "1",
        "ss_sd_model_name": "tiny-sd1.safetensors", "ss_cache_latents": "True",
        "modelspec.architecture": "stable-diffusion-v1/lora", "modelspec.title": "tok",
        "modelspec.resolution": "128x128", "modelspec.prediction_type": "epsilon",
    }  # fmt: skip
    assert {name: told.get(name) for name in expected} == expected
    assert json.loads(told["ss_tag_frequency"])["pictures"]["tok"] == 6
    assert sum(bucket["count"] for bucket in json.loads(told["ss_bucket_info"])["buckets"].values()) == 6


def test_every_metadata_entry_of_kohyas_is_there(finished: tuple[Path, TrainingConfig]) -> None:
    run, _ = finished
    names = """session_id training_started_at training_finished_at output_name training_comment seed steps epoch
        num_epochs max_train_steps num_batches_per_epoch num_train_images num_reg_images num_validation_images
        learning_rate unet_lr text_encoder_lr optimizer lr_scheduler lr_warmup_steps max_grad_norm
        gradient_checkpointing gradient_accumulation_steps mixed_precision full_fp16 network_module network_dim
        network_alpha network_dropout network_args scale_weight_norms v2 base_model_version sd_model_name sd_model_hash
        new_sd_model_hash clip_skip max_token_length zero_terminal_snr min_snr_gamma noise_offset adaptive_noise_scale
        multires_noise_iterations multires_noise_discount ip_noise_gamma debiased_estimation loss_type huber_c
        huber_schedule prior_loss_weight dataset_dirs reg_dataset_dirs tag_frequency bucket_info resolution
        enable_bucket bucket_no_upscale min_bucket_reso max_bucket_reso batch_size_per_device total_batch_size
        cache_latents color_aug flip_aug random_crop shuffle_caption keep_tokens caption_dropout_rate
        caption_tag_dropout_rate face_crop_aug_range"""

    told = metadata(run / "model" / "tok.safetensors")

    assert [name for name in names.split() if f"ss_{name}" not in told] == []
    assert {"sshs_model_hash", "sshs_legacy_hash"} <= set(told)


def test_the_events_tell_the_whole_training(finished: tuple[Path, TrainingConfig]) -> None:
    run, _ = finished

    events = events_of(run)

    assert events[0]["event"] == "started"
    assert [event["name"] for event in events if event["event"] == "phase"] == [
        "check_images", "load", "cache_latents", "train", "save", "save", "check"
    ]  # fmt: skip
    assert [event["step"] for event in events_of(run, "step")] == list(range(1, 9))
    assert [event["epoch"] for event in events_of(run, "step")] == [1] * 4 + [2] * 4
    assert [event["path"] for event in events_of(run, "saved")] == [
        "model/tok-000001.safetensors", "model/tok.safetensors"
    ]  # fmt: skip
    assert events_of(run, "warning") == []
    assert events[-1]["event"] == "finished"


def test_the_end_tells_that_the_saved_lora_was_read_back_and_works(finished: tuple[Path, TrainingConfig]) -> None:
    run, _ = finished

    end = events_of(run, "finished")[0]

    check = end["reload_check"]
    assert (check["missing"], check["unexpected"], check["zero_change"]) == (0, 0, 0.0)
    assert check["unet_change"] > 1e-3
    assert check["text_change"] > 1e-3
    assert 0 < check["difference"] < check["tolerance"] < 1e-3
    assert (end["steps"], end["epochs"]) == (8, 2)
    assert end["seconds_per_step"] > 0
    assert end["peak_memory_bytes"] > 50_000_000
    assert end["peak_reserved_bytes"] == 0  # of a GPU's allocator alone
    assert end["loras"] == ["model/tok-000001.safetensors", "model/tok.safetensors"]


def test_the_pictures_are_listed_and_in_several_buckets(finished: tuple[Path, TrainingConfig]) -> None:
    run, _ = finished

    lines = (run / "images" / "manifest.jsonl").read_text(encoding="utf-8").splitlines()

    assert len({tuple(json.loads(line)["bucket"]) for line in lines}) >= 2
    assert len(lines) == 6


def test_all_rates_of_zero_run_the_loop_and_change_nothing(material: Path, tmp_path: Path) -> None:
    config = make_config(
        material, optimizer__unet_learning_rate=0.0, optimizer__text_encoder_learning_rate=0.0,
        optimizer__learning_rate=0.0,
    )  # fmt: skip

    run_training(tmp_path, config)

    assert [event["code"] for event in events_of(tmp_path, "warning")] == ["all_rates_zero"]
    assert len(events_of(tmp_path, "step")) == 8
    assert not any(bool(up.any()) for key, up in weights(tmp_path).items() if "lora_up" in key)


def test_a_text_encoder_rate_of_zero_leaves_the_text_encoder_out(material: Path, tmp_path: Path) -> None:
    config = make_config(
        material, optimizer__text_encoder_learning_rate=0.0, dataset__shuffle_captions=False, memory__cache_text=True,
        schedule__max_steps=2, dataset__caption_dropout=0.5,
    )  # fmt: skip

    run_training(tmp_path, config)

    assert all(key.startswith("lora_unet_") for key in weights(tmp_path))
    check = events_of(tmp_path, "finished")[0]["reload_check"]
    assert (check["missing"], check["text_change"]) == (0, 0.0)
    assert events_of(tmp_path, "warning") == []
    assert list((tmp_path / "cache" / "text").rglob("*.safetensors"))


def test_max_steps_ends_in_the_middle_of_an_epoch(material: Path, tmp_path: Path) -> None:
    run_training(tmp_path, make_config(material, schedule__max_steps=5))

    assert events_of(tmp_path, "finished")[0]["steps"] == 5
    assert metadata(tmp_path / "model" / "tok.safetensors")["ss_steps"] == "5"


def test_accumulation_makes_one_step_of_several_batches(material: Path, tmp_path: Path) -> None:
    run_training(tmp_path, make_config(material, schedule__gradient_accumulation=3))

    assert len(events_of(tmp_path, "step")) == 4


def test_step_saves_and_keep_last(material: Path, tmp_path: Path) -> None:
    run_training(tmp_path, make_config(material, saving__every_steps=2, saving__every_epochs=0, saving__keep_last=2))

    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "tok-step00000004.safetensors", "tok-step00000006.safetensors", "tok.safetensors"
    ]  # fmt: skip


def test_samples_are_drawn_and_do_not_change_the_training(
    finished: tuple[Path, TrainingConfig], tmp_path: Path
) -> None:
    run, _ = finished
    config = make_config(run_material(finished), sampling__prompts=("tok, smile", "tok"), sampling__steps=3)

    run_training(tmp_path, config)

    samples = events_of(tmp_path, "sample")
    assert [(event["epoch"], event["seed"]) for event in samples] == [
        (epoch, seed) for epoch in (0, 1, 2) for seed in (42, 43)
    ]
    assert all((tmp_path / event["path"]).stat().st_size > 100 for event in samples)
    assert events_of(tmp_path, "warning") == []
    assert same(weights(tmp_path), weights(run))


def test_a_sample_that_fails_is_a_warning_and_no_more(
    finished: tuple[Path, TrainingConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("trainer.training.samples.draw", broken)

    run_training(tmp_path, make_config(run_material(finished), sampling__prompts=("tok",)))

    assert {event["code"] for event in events_of(tmp_path, "warning")} == {"sample_failed"}
    assert same(weights(tmp_path), weights(finished[0]))


def test_checkpointing_gives_the_same_weights(finished: tuple[Path, TrainingConfig], tmp_path: Path) -> None:
    run, _ = finished

    run_training(tmp_path, make_config(run_material(finished), memory__gradient_checkpointing=True))

    for key, tensor in weights(tmp_path).items():
        torch.testing.assert_close(tensor, weights(run)[key], rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize(("dtype", "codes"), [("bfloat16", []), ("float16", ["slow_half_precision"])])
def test_half_precision_trains_on_a_processor_too(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str, codes: list[str]
) -> None:
    monkeypatch.setattr("trainer.device.choose.has_bfloat16", lambda: True)
    run_training(
        tmp_path, make_config(material, memory__compute_dtype=dtype, memory__base_dtype=dtype, schedule__max_steps=3)
    )

    losses = [event["loss"] for event in events_of(tmp_path, "step")]
    assert all(0 < loss < 10 for loss in losses)
    assert [event["code"] for event in events_of(tmp_path, "warning")] == codes

from __future__ import annotations

from typing import Any

import pytest

from templates.kohya.export_check import check_gui
from templates.kohya.export_gui_values import gui_settings
from tests.support.effort import at_most
from tests.support.factories import make_plan_config
from tests.support.samples import LAYOUT, sample_config


def found(level: str, values: dict[str, Any]) -> set[str]:
    return {finding.key for finding in check_gui(values, machine_threads=64) if finding.level == level}


def values(**changes: Any) -> dict[str, Any]:
    return {**gui_settings(sample_config(), LAYOUT), **changes}


@pytest.mark.parametrize("vram_gib", [None, 6.0, 8.0, 12.0, 24.0])
@pytest.mark.parametrize("advice", ["tutorial", "current"])
def test_a_plan_of_ours_has_nothing_wrong_with_it(vram_gib: float | None, advice: str) -> None:
    config = make_plan_config(vram_gib=vram_gib, use_cpu=vram_gib is None, advice=advice)

    assert check_gui(gui_settings(config, LAYOUT), machine_threads=64) == ()


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"network_dim": 513}, "network_dim"),
        ({"network_dim": "8"}, "network_dim"),
        ({"cache_latents": "false"}, "cache_latents"),
        ({"epoch": True}, "epoch"),
        ({"conv_alpha": 0.5}, "conv_alpha"),
        ({"unknown": 1}, "unknown"),
        ({"caption_extension": ".json"}, "caption_extension"),
        ({"xformers": "flash"}, "xformers"),
        ({"train_batch_size": 65}, "train_batch_size"),
        ({"learning_rate": 1.5}, "learning_rate"),
        ({"unet_lr": 0, "text_encoder_lr": 0}, "learning_rate"),
        ({"learning_rate": 0, "unet_lr": 0, "text_encoder_lr": 0}, "unet_lr"),
        ({"lr_scheduler": "constant"}, "lr_scheduler"),
        ({"lr_scheduler": "piecewise_constant"}, "lr_scheduler"),
        ({"lr_scheduler": "adafactor"}, "lr_scheduler"),
        ({"optimizer": "Adafactor"}, "optimizer_args"),
        ({"optimizer_args": "a = 1"}, "optimizer_args"),
        ({"optimizer_args": "a=1  b=2"}, "optimizer_args"),
        ({"optimizer_args": "a=fast"}, "optimizer_args"),
        ({"optimizer_args": "a=1=2"}, "optimizer_args"),
        ({"max_resolution": "512x512"}, "max_resolution"),
        ({"bucket_reso_steps": 32}, "bucket_reso_steps"),
        ({"min_bucket_reso": 576}, "min_bucket_reso"),
        ({"max_bucket_reso": 448}, "max_bucket_reso"),
        ({"random_crop": True}, "random_crop"),
        ({"output_dir": ""}, "output_dir"),
        ({"block_dims": "4,4"}, "block_dims"),
        ({"down_lr_weight": "1,1"}, "down_lr_weight"),
        ({"LoRA_type": "LyCORIS/LoHa", "block_dims": ",".join(["4"] * 25)}, "block_dims"),
        ({"sdxl": True, "sdxl_cache_text_encoder_outputs": True}, "sdxl_cache_text_encoder_outputs"),
        ({"adaptive_noise_scale": 0.1}, "adaptive_noise_scale"),
        ({"min_timestep": 900, "max_timestep": 900}, "min_timestep"),
        ({"full_fp16": True}, "full_fp16"),
        ({"persistent_data_loader_workers": True}, "persistent_data_loader_workers"),
        ({"max_grad_norm": 0}, "max_grad_norm"),
    ],
)
def test_what_kohya_would_refuse_or_misread_is_an_error(changes: dict[str, Any], key: str) -> None:
    assert key in found("error", values(**changes))


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"network_alpha": 64}, "network_alpha"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"unet_lr": 0}, "unet_lr"),
        ({"seed": 0}, "seed"),
        ({"max_train_steps": 100}, "max_train_steps"),
        ({"num_cpu_threads_per_process": 65}, "num_cpu_threads_per_process"),
        ({"additional_parameters": "--zero_terminal_snr"}, "v_parameterization"),
        ({"v2": True}, "clip_skip"),
    ],
)
def test_what_kohya_does_otherwise_is_a_warning(changes: dict[str, Any], key: str) -> None:
    assert key in found("warning", values(**changes))
    assert not found("error", values(**changes))


def test_a_missing_key_is_an_error() -> None:
    lacking = values()
    del lacking["max_train_steps"]

    assert found("error", lacking) == {"max_train_steps"}


def test_arguments_full_of_equal_signs_are_checked_at_once() -> None:
    endless = " ".join(["a" + "=" * 5000] * 50 + ["x=\x1c"])

    with at_most(10):
        assert "optimizer_args" in found("error", values(optimizer_args=endless))


def test_of_a_finer_step_the_way_out_is_told() -> None:
    (told,) = [one for one in check_gui(values(bucket_reso_steps=16)) if one.key == "bucket_reso_steps"]

    assert "plan it anew with --set dataset.bucket_step_px=64" in told.message

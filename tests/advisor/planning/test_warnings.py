from __future__ import annotations

from typing import Any

import pytest

from advisor.dataset.report import Problem
from tests.support.factories import make_gpu, make_plan_for


def codes(**fields: Any) -> set[str]:
    return {warning.code for warning in make_plan_for(**fields).warnings}


def test_a_usual_case_has_nothing_to_warn_of() -> None:
    assert codes() == set()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"vram_gib": None}, "cpu_training"),
        ({"use_cpu": True}, "cpu_training"),
        ({"vendor": "amd", "compute_capability": None}, "untested_card"),
        ({"free_gib": 0.9}, "does_not_fit"),
        ({"settings": {"network.rank": 48}}, "alpha_not_power_of_two"),
        ({"settings": {"dataset.resolution_px": 640}}, "high_resolution"),
        ({"captions": None}, "no_captions"),
        ({"captions": ("mira, smile", None)}, "missing_captions"),
        ({"captions": "1girl, smile"}, "missing_trigger"),
        ({"num_images": 4}, "few_pictures"),
        ({"sizes": ((300, 300),)}, "small_pictures"),
        ({"problems": (Problem("a.png", "unreadable_picture", "cut off"),)}, "dataset_problems"),
        ({"num_images": 10, "settings": {"dataset.repeats": 1}}, "batch_larger_than_bucket"),
        (
            {"num_images": 11, "sizes": ((512, 512),), "settings": {"dataset.repeats": 1, "schedule.batch_size": 4}},
            "short_batches",
        ),
        ({"settings": {"schedule.epochs": 40}}, "many_steps"),
        ({"settings": {"schedule.epochs": 1}}, "few_steps"),
        ({"family": "sdxl", "vram_gib": 6, "settings": {"schedule.epochs": 60}}, "long_training"),
        ({"settings": {"network.kind": "dora", "network.dora_axis": "output"}}, "dora_axis_output"),
        ({"settings": {"optimizer.learning_rate": 0}}, "nothing_trained"),
        ({"settings": {"model.prediction": "v_prediction"}}, "prediction_mismatch"),
        ({"family": "sd2", "prediction": None}, "prediction_unknown"),
        ({"settings": {"loss.zero_terminal_snr": True}}, "zero_snr_needs_v"),
        ({"notes": ("the name says SDXL",)}, "model_note"),
        ({"disk_gib": 0.1}, "disk_space"),
        ({"settings": {"optimizer.name": "adamw8bit"}}, "no_bitsandbytes"),
        ({"compute_capability": (6, 1), "settings": {"memory.compute_dtype": "bfloat16"}}, "no_bfloat16"),
        (
            {"gpu_name": "NVIDIA GeForce GTX 1660", "settings": {"memory.compute_dtype": "float16"}},
            "float16_gives_nan",
        ),
        ({"vram_gib": None, "settings": {"memory.compute_dtype": "bfloat16"}}, "slow_half_precision"),
        (
            {"vram_gib": None, "cpu_has_bf16": True, "settings": {"memory.compute_dtype": "float16"}},
            "slow_half_precision",
        ),
    ],
)
def test_a_warning_has_its_code(fields: dict[str, Any], code: str) -> None:
    if "vendor" in fields:
        fields = {"gpus": (make_gpu(12, **fields),)}
    assert code in codes(**fields)


def test_windows_is_told_of_the_spill() -> None:
    plan = make_plan_for(free_gib=0.9, system="Windows")

    assert "spill" in plan.warnings[0].message


def test_a_style_needs_no_trigger_in_its_captions() -> None:
    assert "missing_trigger" not in codes(subject="style", captions="1girl, smile")

from __future__ import annotations

from typing import Any

import pytest

from tests.support.factories import make_gpu, make_plan_config


@pytest.mark.parametrize(
    ("fields", "dtype"),
    [
        ({"compute_capability": (8, 0)}, "bfloat16"),
        ({"compute_capability": (12, 0)}, "bfloat16"),
        ({"compute_capability": (7, 5), "gpu_name": "NVIDIA GeForce RTX 2070"}, "float16"),
        ({"compute_capability": (6, 1), "gpu_name": "NVIDIA GeForce GTX 1080"}, "float16"),
        ({"compute_capability": (7, 5), "gpu_name": "NVIDIA GeForce GTX 1660 SUPER"}, "float32"),
        ({"compute_capability": (7, 5), "gpu_name": "NVIDIA GeForce GTX 1650"}, "float32"),
        ({"vram_gib": None}, "float32"),
        ({"use_cpu": True}, "float32"),
        ({"vram_gib": None, "cpu_has_bf16": True}, "bfloat16"),
        ({"use_cpu": True, "cpu_has_bf16": True}, "bfloat16"),
        ({"compute_capability": (7, 5), "cpu_has_bf16": True}, "float16"),
    ],
)
def test_the_card_decides_what_is_computed_with(fields: dict[str, Any], dtype: str) -> None:
    memory = make_plan_config(**fields).memory

    assert memory.compute_dtype == dtype
    assert memory.base_dtype == dtype


@pytest.mark.parametrize(("vendor", "dtype"), [("amd", "bfloat16"), ("intel", "bfloat16"), ("apple", "float32")])
def test_other_vendors(vendor: str, dtype: str) -> None:
    gpu = make_gpu(16, vendor=vendor, compute_capability=None, name=vendor)

    assert make_plan_config(gpus=(gpu,)).memory.compute_dtype == dtype


def test_the_base_follows_a_chosen_precision() -> None:
    memory = make_plan_config(vram_gib=24, settings={"memory.compute_dtype": "float32"}).memory

    assert memory.base_dtype == "float32"


def test_loras_are_saved_in_float16() -> None:
    assert make_plan_config().saving.dtype == "float16"

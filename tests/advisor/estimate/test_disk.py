from __future__ import annotations

from math import prod
from typing import Any

import pytest

from advisor.estimate.disk import (
    BYTES_OF,
    FILE_BYTES,
    STEP_LOG_BYTES,
    adapter_parameters,
    adapters_of,
    copy_bytes,
    disk_bytes,
    lora_bytes,
    lora_tensors,
    planned_header_bytes,
    tensor_bytes,
)
from advisor.families.sd1 import STANDARD
from advisor.families.sdxl import STANDARD as SDXL_STANDARD
from advisor.units import MIB
from tests.support.factories import make_plan_config


@pytest.mark.parametrize("rank", [8, 32, 48, 128])
def test_an_sd1_lora_has_one_and_an_eighth_mib_for_each_rank(rank: int) -> None:
    config = make_plan_config(settings={"network.rank": rank})
    alphas = 264 * 2

    assert tensor_bytes(config, STANDARD) == 1.125 * MIB * rank + alphas
    assert len(adapters_of(config, STANDARD)) == 264


@pytest.mark.parametrize(("text_rate", "mib_per_rank"), [(0.0, 5.07), (5e-5, 6.80)])
def test_an_sdxl_lora_has_its_known_size(text_rate: float, mib_per_rank: float) -> None:
    config = make_plan_config(family="sdxl", settings={"optimizer.text_encoder_learning_rate": text_rate})

    found = tensor_bytes(config, SDXL_STANDARD) / MIB / config.network.rank
    assert found == pytest.approx(mib_per_rank, abs=0.006)


def test_without_a_trained_text_encoder_the_file_holds_the_unet_only() -> None:
    config = make_plan_config(settings={"optimizer.text_encoder_learning_rate": 0})

    assert len(adapters_of(config, STANDARD)) == 192


def test_the_file_is_its_header_and_its_weights() -> None:
    config = make_plan_config()

    assert lora_bytes(config, STANDARD) == planned_header_bytes(config, STANDARD) + tensor_bytes(config, STANDARD)
    assert planned_header_bytes(config, STANDARD) % 8 == 0


@pytest.mark.parametrize("kind", ["lora", "locon", "loha", "lokr", "dora"])
def test_every_kind_of_adapter_has_a_size(kind: str) -> None:
    config = make_plan_config(settings={"network.kind": kind, "saving.dtype": "float32"})
    tensors = list(lora_tensors(config, STANDARD))

    assert tensor_bytes(config, STANDARD) == 4 * sum(prod(shape) for _, shape in tensors)
    assert adapter_parameters(config, STANDARD) == sum(
        prod(shape) for name, shape in tensors if not name.endswith(".alpha")
    )


def test_a_loha_factorises_every_layer() -> None:
    config = make_plan_config(settings={"network.kind": "loha", "network.conv_rank": 0})
    shapes = dict(lora_tensors(config, STANDARD))
    name = "lora_unet_mid_block_attentions_0_transformer_blocks_0_ff_net_2"

    assert shapes[f"{name}.hada_w1_a"] == (1280, 32)
    assert shapes[f"{name}.hada_w2_b"] == (32, 5120)


def test_a_lokr_is_a_small_and_a_large_factor() -> None:
    config = make_plan_config(settings={"network.kind": "lokr", "network.conv_rank": 0, "network.factor": 8})
    shapes = dict(lora_tensors(config, STANDARD))
    name = "lora_unet_mid_block_attentions_0_transformer_blocks_0_ff_net_2"

    assert shapes[f"{name}.lokr_w1"] == (8, 8)
    assert shapes[f"{name}.lokr_w2_a"] == (160, 32)
    assert shapes[f"{name}.lokr_w2_b"] == (32, 640)


@pytest.mark.parametrize(
    ("settings", "files"), [({}, 10), ({"saving.keep_last": 3}, 4), ({"saving.every_epochs": 0}, 1)]
)
def test_the_disk_holds_every_kept_lora(settings: dict[str, Any], files: int) -> None:
    config = make_plan_config(settings={"sampling.prompts": [], **settings})
    one = lora_bytes(config, STANDARD)

    state = 3 * 3 * 4 * adapter_parameters(config, STANDARD)
    assert disk_bytes(config, STANDARD, 0) == files * one + state
    assert disk_bytes(config, STANDARD, 30) == files * one + state + 30 * (64 * 64 * 4 * 4 + FILE_BYTES)


def test_the_disk_holds_mirror_images_samples_and_logs() -> None:
    plain = make_plan_config(settings={"sampling.prompts": []})
    flipped = make_plan_config(settings={"sampling.prompts": [], "dataset.flip": True})
    drawn = make_plan_config(settings={"sampling.prompts": ["mira"], "sampling.every_epochs": 1})

    before = disk_bytes(plain, STANDARD, 30)
    assert disk_bytes(flipped, STANDARD, 30) - before == 30 * (64 * 64 * 4 * 4 + FILE_BYTES)
    assert disk_bytes(drawn, STANDARD, 30) - before == (1 + 10) * 512 * 512 * 3
    assert disk_bytes(plain, STANDARD, 30, steps=1000) - before == 1000 * STEP_LOG_BYTES


def test_copies_in_diffusers_names_count_on_the_disk() -> None:
    plain = make_plan_config(settings={"saving.dtype": "float16"})
    copied = make_plan_config(settings={"saving.dtype": "float16", "saving.diffusers_copy": True})

    copy = copy_bytes(copied, STANDARD)
    assert copy_bytes(plain, STANDARD) == 0
    assert copy > adapter_parameters(copied, STANDARD) * BYTES_OF["float16"]
    assert disk_bytes(copied, STANDARD, 0) - disk_bytes(plain, STANDARD, 0) == 10 * copy

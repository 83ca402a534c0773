from __future__ import annotations

import json
from typing import Any

import pytest

from advisor.estimate.ram import GPU_PROCESS_BYTES, LOADING_SHARE, ram_bytes
from advisor.estimate.vram import PROCESS_OVERHEAD_BYTES
from advisor.families import family
from advisor.planning.planner import make_plan
from tests.support.factories import make_facts, make_hardware, make_plan_config
from tests.support.paths import REPOSITORY

LOADED = json.loads((REPOSITORY / "benchmarks" / "results" / "loading_memory.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", LOADED, ids=lambda case: f"{case['family']} {case['dtype']}")
def test_loading_takes_the_networks_once_and_the_process(case: dict[str, Any]) -> None:
    predicted = case["networks_bytes"] * (1 + LOADING_SHARE) + PROCESS_OVERHEAD_BYTES

    assert 0.85 * predicted < case["peak_resident_bytes"] < predicted


def test_sdxl_waits_in_the_machines_memory_whole() -> None:
    structure = family("sdxl").standard
    assert structure is not None
    config = make_plan_config(family="sdxl", vram_gib=12)

    found = ram_bytes(config, structure, num_images=30, on_gpu=True)
    networks = 2 * (2_567_463_684 + 817_000_000) + 4 * 83_653_863
    assert found - GPU_PROCESS_BYTES == pytest.approx(networks, rel=0.2)


def test_a_machine_with_too_little_is_warned() -> None:
    poor = make_plan(make_facts(family="sdxl", hardware=make_hardware(16.0, ram_gib=8.0)))
    rich = make_plan(make_facts(family="sdxl", hardware=make_hardware(16.0, ram_gib=32.0)))

    assert "ram_short" in [warning.code for warning in poor.warnings]
    assert "ram_short" not in [warning.code for warning in rich.warnings]


def test_latents_kept_grow_with_the_pictures_up_to_a_limit() -> None:
    structure = family("sd1").standard
    assert structure is not None
    config = make_plan_config()

    few, many, more = (ram_bytes(config, structure, num_images=n, on_gpu=True) for n in (10, 10_000, 100_000))
    assert few < many == more

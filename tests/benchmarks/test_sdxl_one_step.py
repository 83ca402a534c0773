from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.make_checkpoint import write_checkpoint
from benchmarks.sdxl_one_step import phase_seconds, run_apart


def test_a_phase_lasts_until_the_next_one() -> None:
    told = [
        {"event": "phase", "name": "load", "t": 10.0},
        {"event": "phase", "name": "save", "t": 12.5},
        {"event": "phase", "name": "load", "t": 13.0},
        {"event": "finished", "t": 14.0},
    ]

    assert phase_seconds(told) == {"load": 3.5, "save": 0.5}


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_full_size_sdxl_makes_a_step_in_under_20_gib(tmp_path: Path, dtype: str) -> None:
    checkpoint = tmp_path / "sdxl.safetensors"
    write_checkpoint(checkpoint, "sdxl")

    found = run_apart(checkpoint, dtype)

    assert found["steps"] == 1
    assert found["peak_memory_gib"] < 20
    check = found["reload_check"]
    assert (check["missing"], check["unexpected"]) == (0, 0)
    assert check["unet_change"] > 0

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.run_folder.events import AnyEvent, Finished, PhaseBegun
from benchmarks.make_checkpoint import write_checkpoint
from benchmarks.sdxl_one_step import phase_seconds, run_apart


def test_a_phase_lasts_until_the_next_one() -> None:
    events: list[AnyEvent] = [
        PhaseBegun(name="load", unix_seconds=10.0),
        PhaseBegun(name="save", unix_seconds=12.5),
        PhaseBegun(name="load", unix_seconds=13.0),
        Finished(unix_seconds=14.0),
    ]

    assert phase_seconds(events) == {"load": 3.5, "save": 0.5}


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

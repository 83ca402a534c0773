"""What Linux tells of a processor."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.machine.processor import fastest_dtype, has_bfloat16

ZEN4 = "processor\t: 0\nmodel name\t: AMD EPYC 9354\nflags\t\t: fpu vme avx512f avx512_bf16 clzero\n"
SAPPHIRE_RAPIDS = "model name : Intel(R) Xeon(R) Platinum 8480+\nflags : fpu amx_bf16 avx512f amx_tile\n"
SKYLAKE = "model name\t: Intel(R) Core(TM) i7-6700\nflags\t\t: fpu vme avx avx2\nbugs\t\t: avx512_bf16\n"
GRAVITON = "Features\t: fp asimd bf16 i8mm\nCPU part\t: 0xd40\n"


@pytest.mark.parametrize(
    ("cpuinfo", "dtype"),
    [
        (ZEN4, "bfloat16"), (SAPPHIRE_RAPIDS, "bfloat16"), (SKYLAKE, "float32"), (GRAVITON, "float32"),
        ("", "float32"), ("flags\n:\n", "float32"),
    ],
)  # fmt: skip
def test_a_processor_trains_in_bfloat16_where_it_has_instructions_for_it(
    cpuinfo: str, dtype: str, tmp_path: Path
) -> None:
    (tmp_path / "cpuinfo").write_text(cpuinfo, "utf-8")

    assert fastest_dtype(has_bfloat16=has_bfloat16(tmp_path / "cpuinfo")) == dtype


def test_where_nothing_tells_of_processors_nothing_is_promised(tmp_path: Path) -> None:
    assert not has_bfloat16(tmp_path / "none")

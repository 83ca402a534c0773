"""The made-up driver library, which plays machines with cards: `tests/data/nvml/made_up_nvml.c`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY

SOURCE = REPOSITORY / "tests" / "data" / "nvml" / "made_up_nvml.c"
RTX_3070, GTX_1660, RTX_3090 = "GPU-11111111-aaaa", "GPU-22222222-bbbb", "GPU-66666666-ffff"
"""UUIDs of the cards of the machine `three`: 7 GiB are free of the first, 5 of the second, 23 of the third."""


def build_library(folder: Path, *flags: str) -> Path:
    """The library, compiled into `folder`."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs a C compiler on Linux")
    command = [compiler, "-shared", "-fPIC", *flags, "-o", str(folder / "libnvidia-ml.so.1"), str(SOURCE)]
    subprocess.run(command, check=True)
    return folder


def with_cards(library: Path, machine: str) -> dict[str, str]:
    """Environment variables with which a process finds that machine's cards."""
    return {"LD_LIBRARY_PATH": str(library), "MADE_UP_NVML": machine}

"""Which builds of torch run on which cards and drivers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from advisor.machine.hardware import Hardware

INDEX = "https://download.pytorch.org/whl/"
"""PyTorch's own package index; a build's name comes after it."""

INDEX_VARIABLE = "LORACLE_TORCH_INDEX"
"""Names another index to start.py."""

TURING, BLACKWELL = (7, 5), (10, 0)
"""Builds for CUDA 13 run from the RTX 20 series on; those for CUDA 12.6 on older cards too, up to the RTX 40 series."""

CUDA_13_DRIVER = "580"
"""The oldest driver for CUDA 13: docs.nvidia.com/cuda/cuda-toolkit-release-notes, table 2."""

ARCHITECTURE = re.compile(r"(sm|compute)_(\d+)(\d)([af]?)")
"""`sm_86`: machine code for 8.6; `compute_120`: code that the driver translates for 12.0 and newer."""

Capability = tuple[int, int]


def runs_on(capability: Capability, architectures: Sequence[str]) -> bool:
    """Whether a build with this machine code runs on a card.

    Machine code runs on the same major version from its minor version on, code for the driver to translate on all
    newer cards; an `a` at the end ties it to one: docs.nvidia.com/cuda/cuda-programming-guide, compute capabilities.
    """
    for kind, made_for, suffix in _parsed(architectures):
        if suffix == "a":
            fits = capability == made_for
        elif kind == "sm" or suffix == "f":
            fits = capability[0] == made_for[0] and capability >= made_for
        else:
            fits = capability >= made_for
        if fits:
            return True
    return False


def newest(architectures: Sequence[str]) -> Capability | None:
    """The newest card that a build was made for."""
    return max((made_for for _, made_for, _ in _parsed(architectures)), default=None)


def fitting_build(hardware: Hardware) -> str:
    """The build for a machine, by its name in PyTorch's index: `cu130`, `cu126`, `xpu`, `cpu`; `rocm` for AMD."""
    capabilities = [gpu.compute_capability for gpu in hardware.gpus if gpu.compute_capability is not None]
    vendors = {gpu.vendor for gpu in hardware.gpus}
    if "nvidia" not in vendors:
        return "rocm" if "amd" in vendors else "xpu" if "intel" in vendors else "cpu"
    best = max(capabilities, default=TURING)
    has_old_driver = hardware.cuda_driver is not None and hardware.cuda_driver < (13, 0)
    return "cu126" if best < TURING or (has_old_driver and best < BLACKWELL) else "cu130"


def how_to_install(build: str) -> str:
    """What to do to get another build of torch."""
    if build == "rocm":
        return (
            "pytorch.org/get-started/locally names the index of the ROCm build: put its address into the variable"
            f" {INDEX_VARIABLE}, delete the folder .venv and run start.py (untested by us)"
        )
    if build == "xpu":
        return f"put {INDEX}xpu into the variable {INDEX_VARIABLE}, delete .venv and run start.py (untested by us)"
    return (
        "delete the folder .venv and run start.py, which picks the build for this machine; in an environment of your"
        f" own: pip install --force-reinstall torch --index-url {INDEX}{build}"
    )


def _parsed(architectures: Sequence[str]) -> list[tuple[str, Capability, str]]:
    matches = (ARCHITECTURE.fullmatch(text) for text in architectures)
    return [(match[1], (int(match[2]), int(match[3])), match[4]) for match in matches if match is not None]

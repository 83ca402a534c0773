"""Which NVIDIA cards the user lets programs see, by the variable CUDA_VISIBLE_DEVICES."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from advisor.machine.hardware import Gpu

VARIABLE, ORDER = "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"
"""docs.nvidia.com/cuda/cuda-programming-guide, environment variables."""


def visible_gpus(gpus: Sequence[Gpu], environment: Mapping[str, str]) -> tuple[list[Gpu], list[str]]:
    """The NVIDIA cards that CUDA will see, and a note if that is not all of them.

    CUDA counts the fastest card as 0, NVML goes by the bus: where that can make a difference (cards of different
    names, no order asked for), numbers are not applied.
    """
    asked = environment.get(VARIABLE)
    if asked is None or not gpus:
        return list(gpus), []
    words = [word.strip() for word in asked.split(",") if word.strip()]
    numbers = any(word.lstrip("-").isdecimal() for word in words)
    same = environment.get(ORDER) == "PCI_BUS_ID" or len({gpu.name for gpu in gpus}) == 1
    if numbers and not same and "-1" not in words:
        note = f"{VARIABLE}={asked} is not applied here, as CUDA may number these cards otherwise: choose by --gpu"
        return list(gpus), [note]
    chosen: list[Gpu] = []
    for word in words:
        gpu = _named(word, gpus)
        if gpu is None:  # CUDA stops at the first that it does not know
            break
        chosen.append(gpu)
    if len(chosen) == len(gpus):
        return list(gpus), []
    kept = [gpu for gpu in gpus if gpu in chosen]
    return kept, [f"{VARIABLE}={asked} hides {len(gpus) - len(kept)} of {len(gpus)} NVIDIA cards"]


def _named(word: str, gpus: Sequence[Gpu]) -> Gpu | None:
    if word.isdecimal():
        return gpus[int(word)] if int(word) < len(gpus) else None
    if not word.startswith(("GPU-", "MIG-")):
        return None
    matches = [gpu for gpu in gpus if gpu.uuid.startswith(word)]
    return matches[0] if len(matches) == 1 else None

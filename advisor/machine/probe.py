"""Asking the machine what it has: the one place that calls NVML and psutil."""

from __future__ import annotations

import os
import platform
import sys
from importlib.util import find_spec
from pathlib import Path

import psutil

from advisor.files import is_there
from advisor.machine.cgroups import Limits, container_limits
from advisor.machine.hardware import Gpu, Hardware
from advisor.machine.nvml import NvidiaGpus, ask_driver
from advisor.machine.other_vendors import apple_gpu, linux_gpus
from advisor.machine.processor import cpu_name, has_bfloat16
from advisor.machine.visible_devices import visible_gpus

DRM = Path("/sys/class/drm")
"""Where Linux tells of graphics cards."""


def probe_hardware(folder: Path) -> Hardware:
    """The machine as it is now. Never raises: what cannot be read is 0 or None, and a note says why.

    Args:
        folder: where the run will be, which need not exist; its disk's free space counts.
    """
    notes: list[str] = []
    system, architecture = platform.system(), platform.machine()
    limits = container_limits() if system == "Linux" else Limits()
    ram, ram_free = _memory(limits, notes)
    threads, cores = _cpu_names(limits, notes)
    name = cpu_name(system) or "a processor"
    nvidia = NvidiaGpus() if system == "Darwin" else _nvidia(ram, ram_free)
    gpus, hidden = visible_gpus(nvidia.gpus, os.environ)
    next_index = max((gpu.index for gpu in nvidia.gpus), default=-1) + 1
    others, other_notes = _others(system, architecture, name, memory=(ram, ram_free), first_index=next_index)
    return Hardware(
        system=system,
        architecture=architecture,
        cpu_name=name,
        cpu_threads=threads,
        cpu_cores=cores,
        cpu_has_bf16=system == "Linux" and has_bfloat16(),
        ram_bytes=ram,
        ram_free_bytes=ram_free,
        disk_free_bytes=_disk_free(folder, notes),
        gpus=(*gpus, *others),
        driver=nvidia.driver,
        cuda_driver=nvidia.cuda_driver,
        has_bitsandbytes=_is_installed("bitsandbytes"),
        notes=(*nvidia.notes, *hidden, *other_notes, *notes),
    )


def _nvidia(ram_bytes: int, ram_free_bytes: int) -> NvidiaGpus:
    try:
        import pynvml
    except Exception as error:  # a leftover package of the same name can fail in any way
        return NvidiaGpus(notes=[f"NVIDIA: the package nvidia-ml-py cannot be used ({error}): install it again"])
    return ask_driver(pynvml, ram_bytes, ram_free_bytes)


def _others(
    system: str, architecture: str, processor: str, *, memory: tuple[int, int], first_index: int
) -> tuple[list[Gpu], list[str]]:
    if system == "Linux":
        return linux_gpus(DRM, first_index)
    if system == "Windows":
        return [], ["AMD's and Intel's cards are not looked for on Windows; --vram plans for one"]
    gpu = apple_gpu(system, architecture, processor, ram_bytes=memory[0], ram_free_bytes=memory[1])
    return ([gpu] if gpu else []), []


def _memory(limits: Limits, notes: list[str]) -> tuple[int, int]:
    """Bytes of RAM that this process may use, and how many of them are free."""
    try:
        memory = psutil.virtual_memory()
    except Exception as error:
        notes.append(f"the machine's memory cannot be read: {error}")
        return 0, 0
    total = min(memory.total, limits.ram_bytes or memory.total)
    free = memory.available if limits.ram_free_bytes is None else min(memory.available, limits.ram_free_bytes)
    return int(total), int(min(free, total))


def _cpu_names(limits: Limits, notes: list[str]) -> tuple[int, int]:
    """Threads that this process may use, and physical cores; each 1 or more."""
    try:
        logical, physical = psutil.cpu_count() or 1, psutil.cpu_count(logical=False)
        process = psutil.Process()
        if sys.platform != "darwin" and hasattr(process, "cpu_affinity"):
            logical = len(process.cpu_affinity()) or logical
    except Exception as error:
        notes.append(f"the processor's cores cannot be counted fully: {error}")
        logical, physical = os.cpu_count() or 1, None
    threads = max(1, min(logical, limits.cpu_threads or logical))
    return threads, max(1, min(physical or threads, threads))


def _disk_free(folder: Path, notes: list[str]) -> int:
    """Free bytes on the disk of `folder`, or of the nearest folder around it that exists."""
    try:
        path = Path(os.path.abspath(folder))  # noqa: PTH100  (resolve() can fail where a link is broken)
        while not is_there(path) and path != path.parent:
            path = path.parent
        return int(psutil.disk_usage(str(path)).free)
    except Exception as error:
        notes.append(f"the free disk space at {folder} cannot be read: {error}")
        return 0


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):
        return False

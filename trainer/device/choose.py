"""Where a training computes, and what it takes of that place."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from advisor.errors import HardwareError
from advisor.files import is_there
from advisor.machine.processor import ProcessorDtype, fastest_dtype, has_bfloat16
from advisor.settings.config import TrainingConfig, with_values
from trainer.layers.frozen_weight import FrozenWeight

if sys.platform != "win32":
    import resource

COMPUTE_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
"""torch's dtypes by their names in `memory.compute_dtype` and `saving.dtype`."""
GPUS_WITH_OWN_MEMORY = ("cuda", "xpu")
"""torch's device types of GPUs with memory of their own; AMD's are `cuda` too."""
GPUS = (*GPUS_WITH_OWN_MEMORY, "mps")
"""And of Apple's, which share the machine's."""
SMALL_DENOISER_WEIGHTS = 30_000_000
"""Under so many the threads wait for each other longer than they compute: the demo's model (3 million) took 86 s on one
of two idle cores, 90 to 135 s on both."""


@dataclass(frozen=True)
class Place:
    """The device, and the configuration as it is computed there."""

    device: torch.device
    config: TrainingConfig

    @property
    def dtype(self) -> torch.dtype:
        """What the base model is kept and computed in."""
        return COMPUTE_DTYPES[self.config.memory.compute_dtype]


def choose_place(
    config: TrainingConfig, asked: str | None, usable: str | None, *, dtype: ProcessorDtype | None = None
) -> Place:
    """Where `config` is trained.

    Args:
        asked: `--device`, if given.
        usable: the GPU that torch can use, as `usable_gpu` has it.
        dtype: what is computed in where the processor was asked for and not planned for; None: what it computes in
            soonest.

    Raises:
        HardwareError: the GPU that the plan is for, or that was asked for, is not there.
    """
    if config.memory.preset == "cpu" and asked in (None, "cpu"):
        return Place(torch.device("cpu"), config)
    if asked == "cpu":
        dtype = dtype or fastest_dtype(has_bfloat16=has_bfloat16())
        config = with_values(config, dict.fromkeys(("memory.compute_dtype", "memory.base_dtype"), dtype))
        return Place(torch.device("cpu"), config)
    if asked is not None:
        if usable is None or asked.partition(":")[0] != usable:
            raise HardwareError(
                f"--device {asked} was asked for, but {_found(usable)}: leave it out, or say --device cpu"
            )
        return Place(torch.device(asked), config)
    if usable is None:
        raise HardwareError(
            "This plan is for a graphics card, but torch finds none here that it can use: train it on the machine that "
            "has the card; if that is this one, see `loracle doctor`; or train on the processor with `loracle train "
            "RUN --device cpu` (slow)"
        )
    return Place(torch.device(usable), config)


def slow_numbers(place: Place) -> str:
    """What is to be said of numbers that the processor does not compute in hardware; empty: it does."""
    dtype, fastest = place.config.memory.compute_dtype, fastest_dtype(has_bfloat16=has_bfloat16())
    if place.device.type != "cpu" or dtype in ("float32", fastest):
        return ""
    return (
        f"This processor does not compute {dtype} in hardware and may be hundreds of times slower in it: end this with "
        f"Ctrl-C and set memory.compute_dtype and memory.base_dtype to {fastest} in loracle.toml"
    )


def usable_gpu() -> str | None:
    """The kind of GPU that torch can use here."""
    if torch.cuda.is_available():
        return "cuda"
    if torch.xpu.is_available():
        return "xpu"
    return "mps" if torch.backends.mps.is_available() else None


def use_threads(threads: int | None, device: torch.device, denoiser: torch.nn.Module, *, processes: int = 1) -> None:
    """Compute with so many threads; by default on all physical cores, unless OMP_NUM_THREADS says otherwise.

    Args:
        threads: how many, if that was asked for.
        device: where it is computed.
        denoiser: a small one is computed on one thread.
        processes: how many share the cores.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    elif device.type == "cpu" and not os.environ.get("OMP_NUM_THREADS"):
        is_small = _num_weights(denoiser) < SMALL_DENOISER_WEIGHTS
        cores = min(psutil.cpu_count(logical=False) or 1, _allowed_cpus())
        torch.set_num_threads(1 if is_small else max(1, cores // processes))


def peak_memory_bytes(device: torch.device) -> int:
    """The most memory that was in use: of the GPU by torch, on a CPU by this process."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    if device.type == "xpu":
        return int(torch.xpu.max_memory_allocated(device))
    if device.type == "mps":
        return int(torch.mps.driver_allocated_memory())
    return peak_process_bytes()


def peak_reserved_bytes(device: torch.device) -> int:
    """The most that torch's allocator held of the GPU, used or not; 0 where it does not tell."""
    if device.type in GPUS_WITH_OWN_MEMORY:
        return int(getattr(torch, device.type).max_memory_reserved(device))
    return 0


def memory_bytes(device: torch.device) -> int:
    """The memory in use now, of the same kind."""
    if device.type in GPUS_WITH_OWN_MEMORY:
        return int(getattr(torch, device.type).memory_allocated(device))
    if device.type == "mps":
        return int(torch.mps.current_allocated_memory())
    return int(psutil.Process().memory_info().rss)


def peak_process_bytes() -> int:
    """The most memory that this process had in use since it started."""
    status = Path("/proc/self/status")
    if is_there(status):
        # getrusage would count what the process that started us had in use.
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def free_memory(device: torch.device) -> None:
    """Give back what torch keeps for later but does not use."""
    if device.type in GPUS:
        getattr(torch, device.type).empty_cache()


def _num_weights(network: torch.nn.Module) -> int:
    """All of them; those kept in fewer bits are no parameters."""
    packed = (getattr(module, "frozen_weight", None) for module in network.modules())
    in_fewer_bits = sum(one.shape.numel() for one in packed if isinstance(one, FrozenWeight))
    return in_fewer_bits + sum(weight.numel() for weight in network.parameters())


def _allowed_cpus() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _found(usable: str | None) -> str:
    return f"torch finds {usable} here" if usable else "torch finds no graphics card that it can use"

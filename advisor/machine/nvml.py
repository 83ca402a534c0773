"""NVIDIA's cards as their driver tells of them, through its management library (NVML).

The library comes in as an argument (the module `pynvml`, or a made-up one in tests). Drivers are old, broken or half
installed in many ways; each question that fails costs what it asked for and a note, never the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any, TypeVar

from advisor.machine.hardware import Gpu

Answer = TypeVar("Answer")

Nvml = Any
"""pynvml, which has no types."""

NOT_SUPPORTED = 3
NO_PERMISSION = 4
DRIVER_NOT_LOADED = 9
LIBRARY_NOT_FOUND = 12
GPU_IS_LOST = 15
RESET_REQUIRED = 16
MISMATCH = 18
"""NVML's numbers for its errors: docs.nvidia.com/deploy/nvml-api, nvmlReturn_t."""

MENDS = {
    NO_PERMISSION: "this user may not ask the NVIDIA driver: ask who runs the machine for access to the card",
    DRIVER_NOT_LOADED: "the NVIDIA driver is not running: restart the machine, or install the driver again",
    LIBRARY_NOT_FOUND: "no NVIDIA driver was found",
    GPU_IS_LOST: "the card has dropped off its bus: restart the machine",
    RESET_REQUIRED: "the card has to be reset: restart the machine",
    MISMATCH: "the NVIDIA driver was updated while it was running: restart the machine",
}


@dataclass
class NvidiaGpus:
    """What the driver told."""

    gpus: list[Gpu] = field(default_factory=list)
    driver: str | None = None
    cuda_driver: tuple[int, int] | None = None
    notes: list[str] = field(default_factory=list)


def ask_driver(nvml: Nvml, ram_bytes: int, ram_free_bytes: int) -> NvidiaGpus:
    """All cards, and the slices of cards that are cut by MIG. Never raises.

    Args:
        nvml: the module `pynvml`.
        ram_bytes: stands for the memory of cards that have none of their own.
        ram_free_bytes: what of it is free.
    """
    asked = _Asking(nvml, ram_bytes, ram_free_bytes)
    try:
        nvml.nvmlInit()
    except Exception as error:  # a broken library can fail in any way
        asked.found.notes.append(f"NVIDIA: {_why(error)}")
        return asked.found
    try:
        asked.everything()
    except Exception as error:
        asked.found.notes.append(f"NVIDIA: the driver stopped answering: {_why(error)}")
    finally:
        with suppress(Exception):
            nvml.nvmlShutdown()
    return asked.found


@dataclass
class _Asking:
    nvml: Nvml
    ram_bytes: int
    ram_free_bytes: int
    found: NvidiaGpus = field(default_factory=NvidiaGpus)

    def everything(self) -> None:
        self.found.driver = self._answer("its version", self.nvml.nvmlSystemGetDriverVersion)
        number = self._answer("which CUDA it runs", self.nvml.nvmlSystemGetCudaDriverVersion)
        if number:
            self.found.cuda_driver = (number // 1000, number % 1000 // 10)
        num_gpus = self._answer("how many cards there are", self.nvml.nvmlDeviceGetCount) or 0
        further = count(num_gpus)
        for index in range(num_gpus):
            self.found.gpus.extend(self._device_gpus(index, further))

    def _device_gpus(self, index: int, further: Iterator[int]) -> list[Gpu]:
        """The card, or its slices; the first slice has the card's index, the others take from `further`."""
        handle = self._answer(f"about card {index}", lambda: self.nvml.nvmlDeviceGetHandleByIndex(index))
        if handle is None:
            return []
        capability = self._answer(
            f"card {index}'s compute capability", lambda: self.nvml.nvmlDeviceGetCudaComputeCapability(handle)
        )
        slices = self._slices(handle)
        if slices is None:
            cores = self._quietly(lambda: self.nvml.nvmlDeviceGetNumGpuCores(handle))
            gpu = self._gpu(handle, index, capability, cuda_cores=cores, clock_of=handle)
            return [] if gpu is None else [gpu]
        if not slices:
            self.found.notes.append(
                f"NVIDIA: card {index} is in MIG mode without a slice: make one (nvidia-smi mig -cgi) or turn MIG off"
            )
        found = [
            self._gpu(handle_of, index if number == 0 else next(further), capability, cuda_cores=None, clock_of=handle)
            for number, handle_of in enumerate(slices)
        ]
        return [gpu for gpu in found if gpu is not None]

    def _slices(self, handle: object) -> list[object] | None:
        """Handles of a card's MIG slices; None for a whole card."""
        mode = self._quietly(lambda: self.nvml.nvmlDeviceGetMigMode(handle))
        if not mode or not mode[0]:
            return None
        most = self._quietly(lambda: self.nvml.nvmlDeviceGetMaxMigDeviceCount(handle)) or 0
        slices = []
        for index in range(most):
            slice_handle = self._quietly(partial(self.nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, index))
            if slice_handle is not None:
                slices.append(slice_handle)
        return slices

    def _gpu(
        self,
        handle: object,
        index: int,
        capability: tuple[int, int] | None,
        *,
        cuda_cores: int | None,
        clock_of: object,
    ) -> Gpu | None:
        name = self._quietly(lambda: self.nvml.nvmlDeviceGetName(handle)) or f"NVIDIA card {index}"
        memory = self._memory(handle, name)
        if memory is None:
            return None
        clock = self._quietly(lambda: self.nvml.nvmlDeviceGetMaxClockInfo(clock_of, self.nvml.NVML_CLOCK_SM))
        is_slice = handle is not clock_of  # a slice has its share of both, which the driver does not tell
        limit = self._quietly(lambda: self.nvml.nvmlDeviceGetPowerManagementLimit(handle))  # milliwatts
        return Gpu(
            name=name,
            total_bytes=memory[0],
            free_bytes=memory[1],
            compute_capability=capability,
            uuid=self._quietly(lambda: self.nvml.nvmlDeviceGetUUID(handle)) or "",
            index=index,
            cuda_cores=cuda_cores,
            max_clock_mhz=clock,
            memory_bytes_per_second=None if is_slice else self._bandwidth(clock_of),
            power_limit_watts=None if is_slice or not limit else limit / 1000,
        )

    def _bandwidth(self, handle: object) -> float | None:
        """Bytes a second that the memory can move: two transfers a cycle over its whole bus."""
        bits = self._quietly(lambda: self.nvml.nvmlDeviceGetMemoryBusWidth(handle))
        clock = self._quietly(lambda: self.nvml.nvmlDeviceGetMaxClockInfo(handle, self.nvml.NVML_CLOCK_MEM))
        return bits / 8 * clock * 1e6 * 2 if bits and clock else None

    def _memory(self, handle: object, name: str) -> tuple[int, int] | None:
        """Bytes in all and free; the machine's own for a card that shares them; None if the card does not answer."""
        try:
            memory = self.nvml.nvmlDeviceGetMemoryInfo(handle)
        except Exception as error:
            if getattr(error, "value", None) == NOT_SUPPORTED:
                self.found.notes.append(f"NVIDIA: {name} has no memory of its own and shares the machine's")
                return self.ram_bytes, self.ram_free_bytes
            self.found.notes.append(f"NVIDIA: {name} is left out, as it does not tell its memory: {_why(error)}")
            return None
        return int(memory.total), int(memory.free)

    def _answer(self, what: str, ask: Callable[[], Answer]) -> Answer | None:
        """The driver's answer; None and a note where it has none."""
        try:
            return ask()
        except Exception as error:
            self.found.notes.append(f"NVIDIA: the driver does not tell {what}: {_why(error)}")
            return None

    def _quietly(self, ask: Callable[[], Answer]) -> Answer | None:
        """The driver's answer to what many drivers cannot tell; None where it has none."""
        try:
            return ask()
        except Exception:
            return None


def _why(error: Exception) -> str:
    mend = MENDS.get(getattr(error, "value", -1))
    return mend or f"{error or type(error).__name__} (restarting the machine or installing the driver again helps most)"

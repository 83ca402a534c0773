"""The machine, as facts: what it has, not how it was asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from advisor.machine.processor import ProcessorDtype, fastest_dtype
from advisor.units import GIB

DESKTOP_BYTES = GIB // 2
"""What a desktop takes of a card that is only imagined: so much of `--vram` is not free (docs/interface.md)."""

ASSUMED_COMPUTE_CAPABILITY = (8, 6)
"""The RTX 30 series: what `--vram` stands for where no card is found and none is named."""

Vendor = Literal["nvidia", "amd", "intel", "apple"]


@dataclass(frozen=True)
class Gpu:
    """One graphics card (or a MIG slice of one)."""

    name: str
    total_bytes: int
    free_bytes: int
    compute_capability: tuple[int, int] | None = None
    """CUDA's (major, minor); None for cards that are not NVIDIA's or did not tell."""
    vendor: Vendor = "nvidia"
    uuid: str = ""
    """NVML's own identifier, good for CUDA_VISIBLE_DEVICES; empty if unknown."""
    index: int = 0
    """NVML's index, which `--gpu` takes; CUDA may count otherwise."""
    cuda_cores: int | None = None
    max_clock_mhz: int | None = None
    memory_bytes_per_second: float | None = None
    """From the driver's bus width and memory clock."""
    power_limit_watts: float | None = None
    """What the driver lets it draw."""
    is_kind_assumed: bool = False
    """Whether the compute capability was not said, and ASSUMED_COMPUTE_CAPABILITY stands for it."""

    def of_size(self, total_bytes: int) -> Gpu:
        """The same card with so much memory, half a GiB of it taken by the desktop."""
        return replace(self, total_bytes=total_bytes, free_bytes=max(0, total_bytes - DESKTOP_BYTES))

    @property
    def has_bf16(self) -> bool:
        """Whether bfloat16 runs at full speed: from Ampere (8.0) on; Apple's cards from the M2 have it too, untried."""
        return self.compute_capability is not None and self.compute_capability >= (8, 0)

    @property
    def has_broken_fp16(self) -> bool:
        """GTX 16xx give NaN in float16 (pytorch 58123); only the name tells them from an RTX 20xx, both are 7.5."""
        return any(f"GTX {number}" in self.name for number in ("1630", "1650", "1660"))

    @property
    def is_tested(self) -> bool:
        """Whether we have run on this vendor's cards; others train where torch runs them."""
        return self.vendor == "nvidia"


@dataclass(frozen=True)
class Hardware:
    """All that a plan needs to know of a machine."""

    system: str
    """`Linux`, `Windows` or `Darwin`, as `platform.system()` has it."""
    architecture: str
    """`x86_64`, `AMD64`, `arm64` ..., as `platform.machine()` has it."""
    cpu_name: str
    cpu_threads: int
    """Logical processors this process may use."""
    cpu_cores: int
    """Physical cores."""
    ram_bytes: int
    ram_free_bytes: int
    disk_free_bytes: int
    """Free space where the run folder will be."""
    gpus: tuple[Gpu, ...] = ()
    driver: str | None = None
    """The NVIDIA driver's version, e.g. `580.65.06`."""
    cuda_driver: tuple[int, int] | None = None
    """The newest CUDA that this driver can run."""
    has_bitsandbytes: bool = False
    """The package bitsandbytes, which has 8-bit optimizers, is installed."""
    cpu_has_bf16: bool = False
    """The processor computes bfloat16 by instructions of its own."""
    notes: tuple[str, ...] = ()
    """What could not be read and why, one sentence each."""
    chosen_gpu: int | None = None
    """NVML's index of the card that the user chose."""

    @property
    def processor_dtype(self) -> ProcessorDtype:
        """What the processor computes a training step in soonest."""
        return fastest_dtype(has_bfloat16=self.cpu_has_bf16)

    @property
    def main_gpu(self) -> Gpu | None:
        """The card to plan for: the chosen one, else the one with the most free memory, NVIDIA's first."""
        if self.chosen_gpu is not None:
            return next((gpu for gpu in self.gpus if gpu.index == self.chosen_gpu), None)
        return max(self.gpus, key=lambda gpu: (gpu.is_tested, gpu.free_bytes), default=None)

    def with_gpu(
        self, *, total_bytes: int | None = None, compute_capability: tuple[int, int] | None = None
    ) -> Hardware:
        """The same machine with a card of another size or kind in it, of which nothing else is known.

        Args:
            total_bytes: the card's whole memory; what is free is taken as half a GiB less. None keeps the card's.
            compute_capability: None keeps the found card's, or takes 8.6 where there is none.
        """
        found = self.main_gpu
        known = compute_capability or (found.compute_capability if found else None)
        capability = known or ASSUMED_COMPUTE_CAPABILITY
        if total_bytes is None:
            return self if found is None else self.with_only(replace(found, compute_capability=capability))
        name = f"a card with {total_bytes / GIB:.4g} GiB"
        unnamed = Gpu(name, 0, 0, compute_capability=capability, is_kind_assumed=known is None)
        return self.with_only(unnamed.of_size(total_bytes))

    def with_only(self, gpu: Gpu) -> Hardware:
        """The same machine with this card alone in it, to plan for a machine that is not this one."""
        return replace(self, gpus=(gpu,), chosen_gpu=gpu.index)

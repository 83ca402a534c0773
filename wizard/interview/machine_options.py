"""The machine to plan for: the hardware that was found, changed by the user's options."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from advisor.errors import HardwareError, Mistakes
from advisor.machine.cards import card_named
from advisor.machine.hardware import Gpu, Hardware
from advisor.units import GIB

MOST_VRAM_GIB = 1024
"""Larger sizes are refused as typing errors."""
MOST_CPU_THREADS = 4096
"""Larger counts are refused as typing errors."""

SIZE = re.compile(r"(\d+(?:[.,]\d+)?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
UNITS = {"": 1.0, "g": 1.0, "m": 1 / 1024, "t": 1024.0, "k": 1 / 1024**2}
"""Prefix to GiB. A bare number is in GiB, and GB counts as GiB, since a card sold as 8 GB has 8 GiB."""


@dataclass(frozen=True)
class MachineOptions:
    """The options about the machine; None: as found."""

    vram: str | None = None
    """E.g. `8GiB`."""
    compute_capability: str | None = None
    """E.g. `8.6`."""
    cpu_threads: int | None = None
    gpu: int | None = None
    """NVML's index."""
    card: str | None = None
    """Its name, e.g. `RTX 3060 12GB`."""

    @property
    def names_card(self) -> bool:
        """Whether they say which card to plan for."""
        return any(option is not None for option in (self.vram, self.compute_capability, self.gpu, self.card))

    def applied(self, found: Hardware) -> Hardware:
        """The hardware with these options.

        Raises:
            HardwareError: an option is invalid, or names a GPU that was not found.
            UserErrors: several of them are.
        """
        mistakes = Mistakes()
        machine = mistakes.attempt(lambda: self._with_chosen_gpu(found)) or found
        card = mistakes.attempt(self._named_card)
        total_bytes = mistakes.attempt(lambda: None if self.vram is None else vram_bytes(self.vram))
        generation = mistakes.attempt(lambda: capability(self.compute_capability))
        mistakes.attempt(self.check_threads)
        mistakes.refuse()
        if card is not None:
            machine = machine.with_only(card)
        elif total_bytes is not None or generation is not None:
            machine = machine.with_gpu(total_bytes=total_bytes, compute_capability=generation)
        if generation is not None and machine.main_gpu is None:
            raise HardwareError("no graphics card was found: give its memory too, e.g. --vram 8GiB")
        if self.cpu_threads is None:
            return machine
        return replace(machine, cpu_threads=self.cpu_threads, cpu_cores=min(machine.cpu_cores, self.cpu_threads))

    def check_threads(self) -> None:
        """Raise a HardwareError where no processor has so many threads."""
        if self.cpu_threads is not None and not 1 <= self.cpu_threads <= MOST_CPU_THREADS:
            raise HardwareError(f"a processor with {self.cpu_threads} threads cannot be: give 1 or more, e.g. 8")

    def _with_chosen_gpu(self, found: Hardware) -> Hardware:
        if self.gpu is None:
            return found
        if self.gpu not in {gpu.index for gpu in found.gpus}:
            raise HardwareError(f"there is no graphics card {self.gpu}: {_found_gpus(found)}")
        return replace(found, chosen_gpu=self.gpu)

    def _named_card(self) -> Gpu | None:
        """The card that is named; None where none is."""
        if self.card is None:
            return None
        if self.gpu is not None or self.compute_capability is not None:
            other = "--compute-capability" if self.gpu is None else "--gpu"
            raise HardwareError(f"--card {self.card} says already what {other} says: leave one of them out")
        if self.vram is None:
            return card_named(self.card).as_gpu()
        size = vram_bytes(self.vram)
        return card_named(self.card, total_bytes=size).as_gpu().of_size(size)


def vram_bytes(text: str) -> int:
    """The bytes of `8GiB`, `8 GB`, `8` or `8192 MiB`.

    Raises:
        HardwareError: it is no size, or none between 0.5 and MOST_VRAM_GIB.
    """
    match = SIZE.fullmatch(text.strip())
    size = float(match[1].replace(",", ".")) * UNITS[match[2].lower()] if match else 0.0
    if not 0.5 <= size <= MOST_VRAM_GIB:
        raise HardwareError(f"{text!r} is no memory of a card: write it as 8GiB")
    return round(size * GIB)


def capability(text: str | None) -> tuple[int, int] | None:
    """The (major, minor) of `8.6`; None for None.

    Raises:
        HardwareError: it is no compute capability.
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,2})\.(\d)", text.strip())
    if match is None:
        raise HardwareError(f"{text!r} is no compute capability: write it as 8.6 (RTX 30 series)")
    return int(match[1]), int(match[2])


def _found_gpus(found: Hardware) -> str:
    if not found.gpus:
        return "none was found; plan for another with --vram 8GiB"
    return "found are " + ", ".join(f"{gpu.index} ({gpu.name})" for gpu in found.gpus)

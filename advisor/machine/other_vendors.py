"""Apple's, AMD's and Intel's cards, as far as the system tells of them without torch."""

from __future__ import annotations

from pathlib import Path

from advisor.files import kernel_number, kernel_text
from advisor.machine.hardware import Gpu
from advisor.same_place import resolved
from advisor.units import GIB

AMD, INTEL = "0x1002", "0x8086"
"""The makers' numbers on the PCI bus: pcisig.com/membership/member-companies."""

LEAST_BYTES = 2 * GIB
"""A card with less is one built into the processor, with a window into the machine's memory."""

BUILT_IN_SLOT = "0000:00:"
"""Where processors have their own graphics; a card that was plugged in lies behind a bridge, on a later bus."""

INTEL_MEMORY_FILES = ("lmem_total_bytes", "device/lmem_total_bytes", "device/tile0/physical_vram_size_bytes")
"""Where Intel's drivers i915 and xe have told a card's memory, by version."""

APPLE_SHARE = (2, 3)
"""What part of the RAM counts as an Apple card's memory (docs/interface.md)."""


def apple_gpu(system: str, architecture: str, cpu_name: str, *, ram_bytes: int, ram_free_bytes: int) -> Gpu | None:
    """The graphics part of an Apple processor; None on other machines."""
    if system != "Darwin" or architecture != "arm64":
        return None
    part, whole = APPLE_SHARE
    total = ram_bytes * part // whole
    return Gpu(f"{cpu_name} (MPS)", total, min(total, ram_free_bytes), vendor="apple")


def linux_gpus(drm: Path, first_index: int) -> tuple[list[Gpu], list[str]]:
    """AMD's and Intel's cards by the kernel's own account, and notes on those that cannot be used.

    Args:
        drm: /sys/class/drm, or what a test has made in its place.
        first_index: the first card's index.
    """
    gpus: list[Gpu] = []
    notes: list[str] = []
    try:
        nodes = sorted(path for path in drm.glob("card*") if path.name[4:].isdigit())
    except OSError:
        nodes = []
    for node in nodes:
        vendor = kernel_text(node / "device" / "vendor")
        index = first_index + len(gpus)
        found = _amd(node, index) if vendor == AMD else _intel(node, index) if vendor == INTEL else None
        if isinstance(found, Gpu):
            gpus.append(found)
        elif found:
            notes.append(found)
    return gpus, notes


def _amd(node: Path, index: int) -> Gpu | str:
    device = node / "device"
    name = kernel_text(device / "product_name") or "AMD graphics"
    total, used = kernel_number(device / "mem_info_vram_total"), kernel_number(device / "mem_info_vram_used")
    if total is None:
        return f"AMD: {name} ({node.name}) does not tell its memory: name it with --vram"
    if total < LEAST_BYTES:
        return f"AMD: {name} ({node.name}) is built into the processor and is not used"
    free = max(0, total - (used or 0))
    return Gpu(name, total, free, vendor="amd", uuid=kernel_text(device / "unique_id"), index=index)


def _intel(node: Path, index: int) -> Gpu | str | None:
    slot = resolved(node / "device").name
    if slot.startswith(BUILT_IN_SLOT):
        return None
    total = next((number for name in INTEL_MEMORY_FILES if (number := kernel_number(node / name))), None)
    total = total or _largest_window(node / "device" / "resource")
    if total is None or total < LEAST_BYTES:
        return f"Intel: the card at {slot} does not tell its memory: name it with --vram"
    return Gpu("Intel graphics card", total, total, vendor="intel", index=index)


def _largest_window(resource: Path) -> int | None:
    """The largest of a card's windows on the bus: with resizable BAR, which Arc cards need, its whole memory.

    Each line has first address, last address and flags: docs.kernel.org/PCI/sysfs-pci.html.
    """
    largest = 0
    for line in kernel_text(resource).splitlines():
        try:
            first, last = (int(word, 16) for word in line.split()[:2])
        except ValueError:
            continue
        if last > first:
            largest = max(largest, last - first + 1)
    return largest or None

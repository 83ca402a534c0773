"""The memory of a device now, and a limit on what torch may take of it."""

from __future__ import annotations

from typing import Any

import psutil
import torch

from advisor.machine.driver_spill import cap_share
from advisor.machine.memory_snapshot import Room
from trainer.device.choose import GPUS_WITH_OWN_MEMORY
from trainer.runtime.machine_limits import lacks_memory


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the GPU or the machine had no memory left."""
    return isinstance(error, torch.OutOfMemoryError) or lacks_memory(error)


def room_of(device: torch.device) -> Room:
    """The memory of the GPU, or of the machine where it is computed on the CPU or shares its memory."""
    if device.type in GPUS_WITH_OWN_MEMORY:
        kind = getattr(torch, device.type)
        own = int(kind.memory_reserved(device))
        try:
            free, total = kind.mem_get_info(device)
        except RuntimeError:  # some of Intel's drivers cannot say, and no GPU can after a crash
            total = int(kind.get_device_properties(device).total_memory)
            free = total - own
        return Room(int(free), int(total), own)
    memory = psutil.virtual_memory()
    return Room(int(memory.available), int(memory.total), int(psutil.Process().memory_info().rss))


def cap_memory(device: torch.device, room: Room, *, spills: bool, cuda: Any = torch.cuda) -> int | None:
    """Let torch take no more of a GPU than was free at the start, so that a spill becomes an error.

    Args:
        room: the GPU's, at the start.
        spills: whether the driver would spill; elsewhere a limit would only keep us from what others give back.
        cuda: torch's module for the GPU.

    Returns:
        The limit in bytes; None: there is none.
    """
    if device.type != "cuda" or not spills:
        return None
    share = cap_share(room.free_bytes, room.total_bytes)
    cuda.set_per_process_memory_fraction(share, device.index)
    return int(share * room.total_bytes)

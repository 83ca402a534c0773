"""How much memory (RAM) may still be taken."""

from __future__ import annotations

import psutil

from advisor.machine.cgroups import container_limits


def free_memory_bytes() -> int:
    """What is free of the machine's, and of what its container or batch job may have."""
    free, left = int(psutil.virtual_memory().available), container_limits().ram_free_bytes
    return free if left is None else min(free, left)

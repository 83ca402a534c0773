"""A limit on this process's memory: a model from a stranger asks for what it likes, and the machine's other programs
would pay for it.
"""

from __future__ import annotations

import sys

import psutil

from advisor.machine.cgroups import container_limits


def limit_memory() -> None:
    """Let this process have no more than the memory that is free now; beyond it an allocation fails.

    Linux alone counts what a process writes to (RLIMIT_DATA); a limit on its addresses would keep CUDA from starting.
    """
    if sys.platform != "linux":
        return
    import resource

    free = int(psutil.virtual_memory().available)
    left = container_limits().ram_free_bytes
    taken = int(psutil.Process().memory_info().data)
    wanted = taken + (free if left is None else min(free, left))
    limits = [one for one in resource.getrlimit(resource.RLIMIT_DATA) if one != resource.RLIM_INFINITY]
    most = min([wanted, *limits])
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))

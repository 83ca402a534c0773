"""A limit on this process's memory: a model from a stranger asks for what it likes, and the machine's other programs
would pay for it.
"""

from __future__ import annotations

import sys

import psutil

from trainer.runtime.free_memory import free_memory_bytes


def limit_memory() -> None:
    """Let this process have no more than the memory that is free now; beyond it an allocation fails.

    Linux alone counts what a process writes to (RLIMIT_DATA); a limit on its addresses would keep CUDA from starting.
    """
    if sys.platform != "linux":
        return
    import resource

    wanted = int(psutil.Process().memory_info().data) + free_memory_bytes()
    limits = [one for one in resource.getrlimit(resource.RLIMIT_DATA) if one != resource.RLIM_INFINITY]
    most = min([wanted, *limits])
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
